// SPDX-License-Identifier: Apache-2.0
#include "harness/report/files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <filesystem>

#include "tests/temporary_folder.h"

namespace attest::report {
namespace {

using testing::HasSubstr;

template <class Action>
std::string FaultOf(Action action) {
  try {
    action();
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  ADD_FAILURE() << "no fault";
  return "";
}

TEST(WriteAtomically, MakesAndReplaces) {
  const TemporaryFolder folder;
  const std::string path = folder.File("r.json");
  WriteAtomically(path, "old");
  ASSERT_EQ(chmod(path.c_str(), 0640), 0);
  WriteAtomically(path, "new text");
  EXPECT_EQ(ReadFile(path), "new text");
  struct stat status {};
  ASSERT_EQ(stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0640u);
  EXPECT_EQ(folder.Count(), 1);
}

TEST(WriteAtomically, FollowsLinks) {
  const TemporaryFolder folder;
  WriteAtomically(folder.File("target"), "old");
  std::filesystem::create_symlink(folder.File("target"), folder.File("link"));
  WriteAtomically(folder.File("link"), "new");
  EXPECT_EQ(ReadFile(folder.File("target")), "new");
  EXPECT_TRUE(std::filesystem::is_symlink(folder.File("link")));
}

TEST(WriteAtomically, NeverReplacesADevice) {
  CheckWritable("/dev/null");
  WriteAtomically("/dev/null", "text");
  EXPECT_TRUE(std::filesystem::is_character_file("/dev/null"));
}

TEST(WriteAtomically, SaysThatTheDiskIsFull) {
  const std::string fault = FaultOf([] { WriteAtomically("/dev/full", "text"); });
  EXPECT_EQ(fault, "cannot write /dev/full: No space left on device");
}

TEST(WriteAtomically, LeavesTheOldFileWhereTheNewDoesNotFit) {
  const TemporaryFolder folder;
  const std::string path = folder.File("r.json");
  WriteAtomically(path, "old");
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit small = {1000, before.rlim_max};
  std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const std::string fault = FaultOf([&] { WriteAtomically(path, std::string(5000, 'x')); });
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  EXPECT_EQ(fault, "cannot write " + path + ": File too large");
  EXPECT_EQ(ReadFile(path), "old");
  EXPECT_EQ(folder.Count(), 1);
}

TEST(CheckWritable, LeavesNothing) {
  const TemporaryFolder folder;
  CheckWritable(folder.File("r.json"));
  EXPECT_EQ(folder.Count(), 0);
}

TEST(CheckWritable, NamesTheFix) {
  const TemporaryFolder folder;
  const std::string missing = folder.File("no/such");
  EXPECT_EQ(FaultOf([&] { CheckWritable(missing + "/r.json"); }),
            "cannot write " + missing + "/r.json: there is no folder " + missing +
                "; make it with: mkdir -p " + missing);
  EXPECT_THAT(FaultOf([&] { CheckWritable(folder.File("")); }), HasSubstr("it is a folder"));
  WriteAtomically(folder.File("file"), "");
  EXPECT_THAT(FaultOf([&] { CheckWritable(folder.File("file/r.json")); }),
              HasSubstr("is not a folder"));
  EXPECT_THAT(FaultOf([] { CheckWritable(""); }), HasSubstr("is empty"));
  // Refused to root as well.
  EXPECT_THAT(FaultOf([] { CheckWritable("/proc/r.json"); }),
              HasSubstr("cannot write /proc/r.json"));
}

TEST(ReadFile, NamesThePath) {
  EXPECT_EQ(FaultOf([] { ReadFile("/no/such/file"); }),
            "cannot read /no/such/file: No such file or directory");
}

}  // namespace
}  // namespace attest::report
