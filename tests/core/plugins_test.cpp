// SPDX-License-Identifier: Apache-2.0
//
// Which files of a directory are plugins, and which of them is taken.
#include "harness/core/plugins.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <stdexcept>

#include "tests/temporary_folder.h"

namespace attest {
namespace {

class Plugins : public testing::Test {
 protected:
  std::string Folder(const std::string& name, const std::vector<std::string>& files) {
    std::filesystem::create_directory(root_.File(name));
    for (const std::string& file : files) root_.Make(name + "/" + file, "x");
    return root_.File(name);
  }

  TemporaryFolder root_;
};

#if defined(__x86_64__)
std::string HighestLevel() {
  if (__builtin_cpu_supports("x86-64-v4")) return "x86-64-v4";
  if (__builtin_cpu_supports("x86-64-v3")) return "x86-64-v3";
  return __builtin_cpu_supports("x86-64-v2") ? "x86-64-v2" : "";
}
#endif

TEST_F(Plugins, AreFoundByTheirNamesInAlphabeticalOrder) {
  const std::string folder = Folder("a", {"attest_two.so", "attest_one.so", "libattest_x.so",
                                          "attest_.so", "attest_y.txt", "attest_z.so.1", "notes"});
  const std::vector<PluginFile> found = FindPlugins({folder}, "");
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].name, "one");
  EXPECT_EQ(found[1].name, "two");
  EXPECT_EQ(found[1].path, folder + "/attest_two.so");
  EXPECT_EQ(found[1].level, "");
  EXPECT_EQ(found[1].reject, "");
}

TEST_F(Plugins, WorkerProgramsAreFoundLikeLibraries) {
  const std::string folder = Folder("a", {"attest_two.worker", "attest_one.so", "attest_.worker",
                                          "worker", "attest_z.worker.py"});
  const std::vector<PluginFile> found = FindPlugins({folder}, "");
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[1].name, "two");
  EXPECT_TRUE(IsWorkerProgram(found[1].path));
  EXPECT_FALSE(IsWorkerProgram(found[0].path));
  EXPECT_FALSE(found[1].on_request);
}

TEST_F(Plugins, TheFolderOfPeersIsOnRequestAndComesAfterItsParent) {
  const std::string folder = Folder("a", {"attest_two.so"});
  Folder("a/peers", {"attest_one.worker", "attest_two.worker"});
  const std::vector<PluginFile> found = FindPlugins({folder}, "");
  ASSERT_EQ(found.size(), 3U);
  EXPECT_FALSE(found[0].on_request);
  EXPECT_EQ(found[1].path, folder + "/peers/attest_one.worker");
  EXPECT_TRUE(found[1].on_request);
  EXPECT_NE(found[2].reject.find("second plugin named 'two'"), std::string::npos);
}

TEST_F(Plugins, SecondOfANameIsRejectedWithThePathOfTheFirst) {
  const std::string a = Folder("a", {"attest_one.so"}), b = Folder("b", {"attest_one.so"});
  const std::vector<PluginFile> found = FindPlugins({b, a}, "");
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].reject, "");
  EXPECT_NE(found[1].reject.find("second plugin named 'one': " + b + "/attest_one.so"),
            std::string::npos)
      << found[1].reject;
}

TEST_F(Plugins, ALabelNamesAnotherBuild) {
  const std::string a = Folder("a", {"attest_one.so"});
  Folder("a/peers", {"attest_two.worker"});
  const std::string odd = Folder("x=y", {"attest_three.so"});
  const std::vector<PluginFile> found = FindPlugins({a, "base=" + a, odd}, "");
  std::vector<std::string> names, labels;
  for (const PluginFile& file : found) {
    EXPECT_EQ(file.reject, "") << file.name;
    names.push_back(file.name);
    labels.push_back(file.label);
  }
  EXPECT_EQ(names, (std::vector<std::string>{"one", "two", "one-base", "two-base", "three"}));
  EXPECT_EQ(labels, (std::vector<std::string>{"", "", "base", "base", ""}));
  EXPECT_EQ(found[2].path, a + "/attest_one.so");
  EXPECT_THROW(FindPlugins({"base=" + a + "/none"}, ""), std::invalid_argument);
  EXPECT_EQ(FindPlugins({"base=" + a, "base=" + odd, "base=" + a}, "").size(), 3U);
}

TEST_F(Plugins, SameDirectoryTwiceIsNoConflict) {
  const std::string a = Folder("a", {"attest_one.so"});
  EXPECT_EQ(FindPlugins({a, a}, "").size(), 1U);
}

#if defined(__x86_64__)
TEST_F(Plugins, HighestLevelOfTheCpuIsTaken) {
  if (HighestLevel().empty()) GTEST_SKIP() << "this CPU is below x86-64-v2";
  const std::string folder = Folder("a", {"attest_one.x86-64-v2.so", "attest_one.x86-64-v3.so",
                                          "attest_one.x86-64-v4.so", "attest_two.so"});
  const std::vector<PluginFile> found = FindPlugins({folder}, "");
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].level, HighestLevel());
  EXPECT_EQ(found[0].path, folder + "/attest_one." + HighestLevel() + ".so");
  const std::vector<PluginFile> lower = FindPlugins({folder}, "x86-64-v2");
  EXPECT_EQ(lower[0].level, "x86-64-v2");
  EXPECT_EQ(lower[1].name, "two") << "a plugin that is built once has no level to limit";
}

TEST_F(Plugins, LevelsAboveTheLimitAreKeptWithTheReason) {
  if (HighestLevel() < "x86-64-v3") GTEST_SKIP() << "this CPU has no level to exclude";
  const std::string folder = Folder("a", {"attest_one.x86-64-v3.so"});
  EXPECT_EQ(FindPlugins({folder}, "")[0].reject, "");
  const std::vector<PluginFile> found = FindPlugins({folder}, "x86-64-v2");
  ASSERT_EQ(found.size(), 1U);
  EXPECT_NE(found[0].reject.find("x86-64-v2"), std::string::npos) << found[0].reject;
}
#endif

TEST_F(Plugins, BadArgumentsAreRefused) {
  const std::string folder = Folder("a", {});
  EXPECT_TRUE(FindPlugins({folder}, "").empty());
  EXPECT_TRUE(FindPlugins({}, "").empty());
  EXPECT_THROW(FindPlugins({folder + "/none"}, ""), std::invalid_argument);
  try {
    FindPlugins({folder}, "x86-64-v9");
    FAIL();
  } catch (const std::invalid_argument& error) {
    EXPECT_NE(std::string(error.what()).find("x86-64-v2"), std::string::npos);
  }
}

}  // namespace
}  // namespace attest
