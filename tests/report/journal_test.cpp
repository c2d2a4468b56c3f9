// SPDX-License-Identifier: Apache-2.0
#include "harness/report/journal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "harness/report/json.h"
#include "tests/report/fixture.h"
#include "tests/temporary_folder.h"

namespace attest::report {
namespace {

using testing::HasSubstr;

class JournalTest : public testing::Test {
 protected:
  const TemporaryFolder folder_;
  const std::string path_ = folder_.File("r.json.journal");
  const Report report_ = MakeReport();

  void Write() const {
    Journal journal = Journal::Create(path_, report_.policy, report_.date);
    for (const CellRecord& cell : report_.cells) journal.Append(cell);
  }
  std::string Fault() const {
    try {
      ReadJournal(path_);
    } catch (const std::runtime_error& error) {
      return error.what();
    }
    ADD_FAILURE() << "read without a fault";
    return "";
  }
};

TEST_F(JournalTest, GivesBackPolicyAndCells) {
  Write();
  const JournalContents contents = ReadJournal(path_);
  EXPECT_EQ(WritePolicyJson(contents.policy), WritePolicyJson(report_.policy));
  EXPECT_EQ(contents.date, report_.date);
  ASSERT_EQ(contents.cells.size(), 2u);
  EXPECT_EQ(WriteCellJson(contents.cells[1]), WriteCellJson(report_.cells[1]));
  EXPECT_FALSE(contents.torn);
}

TEST_F(JournalTest, IsCutAnywhereWithoutLosingAWholeLine) {
  Write();
  const std::string text = ReadFile(path_);
  const size_t header = text.find('\n') + 1, first = text.find('\n', header) + 1;
  for (size_t length = header; length < text.size(); length += 101) {
    WriteAtomically(path_, text.substr(0, length));
    const JournalContents contents = ReadJournal(path_);
    EXPECT_EQ(contents.cells.size(), length >= first ? 1u : 0u) << length;
    EXPECT_EQ(contents.torn, length != header && length != first) << length;
  }
}

TEST_F(JournalTest, ContinuesAfterATornLine) {
  Write();
  const std::string text = ReadFile(path_);
  WriteAtomically(path_, text.substr(0, text.size() - 10));
  const JournalContents torn = ReadJournal(path_);
  ASSERT_TRUE(torn.torn);
  Journal journal = Journal::Continue(path_, torn);
  journal.Append(report_.cells[1]);
  EXPECT_EQ(ReadFile(path_), text);
}

TEST_F(JournalTest, SurvivesItsWriterBeingKilled) {
  const pid_t child = fork();
  if (child == 0) {
    Journal journal = Journal::Create(path_, report_.policy, report_.date);
    journal.Append(report_.cells[0]);
    raise(SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(ReadJournal(path_).cells.size(), 1u);
}

TEST_F(JournalTest, DiskFullIsNamed) {
  try {
    Journal::Create("/dev/full", report_.policy, report_.date);
    FAIL() << "written";
  } catch (const std::runtime_error& error) {
    EXPECT_STREQ(error.what(), "cannot write /dev/full: No space left on device");
  }
}

// The kernel writes the part that fits and returns its length: the line must not stay torn.
TEST_F(JournalTest, ALineThatDoesNotFitIsTakenBack) {
  Journal journal = Journal::Create(path_, report_.policy, report_.date);
  journal.Append(report_.cells[0]);
  const std::string before = ReadFile(path_);
  rlimit limit{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &limit), 0);
  const rlimit small = {before.size() + 100, limit.rlim_max};
  std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  std::string fault;
  try {
    journal.Append(report_.cells[1]);
  } catch (const std::runtime_error& error) {
    fault = error.what();
  }
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
  EXPECT_EQ(fault, "cannot write " + path_ + ": File too large");
  EXPECT_EQ(ReadFile(path_), before);
  journal.Append(report_.cells[1]);
  EXPECT_EQ(ReadJournal(path_).cells.size(), 2u);
}

TEST_F(JournalTest, FaultsAreNamed) {
  WriteAtomically(path_, "{\"format\": \"attest.jour");
  EXPECT_THAT(Fault(), HasSubstr("has no header"));
  WriteAtomically(path_, "{\"context\": {}}\n");
  EXPECT_THAT(Fault(), HasSubstr("is not a journal"));
  WriteAtomically(path_, "[]\n");
  EXPECT_THAT(Fault(), HasSubstr("is not a journal"));
  Write();
  const std::string text = ReadFile(path_);
  const size_t header = text.find('\n') + 1;
  WriteAtomically(path_, text.substr(0, header + 20) + "\n" + text.substr(header));
  EXPECT_THAT(Fault(), HasSubstr("is damaged in line 2"));
}

TEST(JournalPath, StandsBesideTheReport) { EXPECT_EQ(JournalPath("a/r.json"), "a/r.json.journal"); }

}  // namespace
}  // namespace attest::report
