// SPDX-License-Identifier: Apache-2.0
//
// conformance BACKEND[:VARIANT]...: every variant of one backend, or the named ones, over the
// lengths and sizes that break kernels, through the real judge and worker. A variant may say
// `unsupported` only outside the core that every backend has: full and causal sdpa in f32 with any
// offset, length, head size and grouping. Backends that are used on request measure other people's
// libraries: those decide what they have, but every test of the core must verify something.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>

#include "harness/core/sweep.h"
#include "harness/judge/judge.h"

namespace attest {
namespace {

// Set to 1 for a variant whose library is looked for at run time.
const char* kLibraryOptional = "ATTEST_LIBRARY_OPTIONAL";

std::vector<std::string> patterns;  // from the command line, of one backend

bool IsSet(const char* variable) {
  const char* value = std::getenv(variable);
  return value != nullptr && std::string(value) == "1";
}

const char* kLengths = "1,2,3,15,16,17,31,33,63,65,127,129,197,257";
const char* kHeadSizes = "1,3,40,64,80,128";

std::string BuildDir() { return std::getenv("ATTEST_BUILD_DIR"); }

judge::Settings SettingsFor(const std::vector<Axes>& blocks) {
  judge::Settings settings;
  settings.worker_path = BuildDir() + "/bin/attest-worker";
  settings.plugins = FindPlugins({BuildDir() + "/lib/attest"}, "");
  settings.patterns = patterns;
  settings.cells = ExpandSweep(blocks, {}, 7);
  settings.threads = 2;
  settings.measure = false;
  settings.max_cell_seconds = 60;
  settings.cache_directory = BuildDir() + "/cache";
  return settings;
}

enum class Unsupported { kNever, kWithAReason };

enum class Checks { kQuick, kAll };

bool IsOnRequest(const judge::Settings& settings) {
  const std::string backend = patterns.front().substr(0, patterns.front().find(':'));
  return std::any_of(settings.plugins.begin(), settings.plugins.end(), [&](const PluginFile& file) {
    return file.on_request && file.name == backend;
  });
}

void ExpectAllPass(const std::vector<Axes>& blocks, Unsupported allowed = Unsupported::kNever,
                   Checks checks = Checks::kQuick) {
  judge::Settings settings = SettingsFor(blocks);
  settings.all_checks = checks == Checks::kAll;
  const bool is_core = allowed == Unsupported::kNever;
  if (IsOnRequest(settings) || IsSet(kLibraryOptional)) allowed = Unsupported::kWithAReason;
  int verified = 0;
  const judge::Outcome outcome = judge::RunSweep(settings, {});
  ASSERT_EQ(outcome.cells.size(), settings.cells.size());
  for (const report::CellRecord& cell : outcome.cells) {
    EXPECT_FALSE(cell.results.empty()) << cell.id;
    for (const report::Result& result : cell.results) {
      if (allowed == Unsupported::kWithAReason && result.verdict == report::Verdict::kUnsupported) {
        EXPECT_NE(result.reason, "") << report::LabelOf(result) << " on " << cell.id;
        continue;
      }
      verified += report::IsVerified(result.verdict) ? 1 : 0;
      EXPECT_TRUE(report::IsVerified(result.verdict))
          << report::LabelOf(result) << " on " << cell.id << ": "
          << report::VerdictName(result.verdict) << " (" << result.reason << ")\n  "
          << result.reproduce;
    }
  }
  if (is_core) {
    EXPECT_GT(verified, 0);
  }
}

TEST(Conformance, LengthsAndHeadSizes) {
  ExpectAllPass(
      {{{"seq", kLengths}, {"head-size", kHeadSizes}, {"heads", "2"}, {"causal", "full,causal"}}});
}

TEST(Conformance, OtherKeyLengths) {
  ExpectAllPass({{{"seq", "1,7,33"},
                  {"kv-len", "1,16,65,257"},
                  {"head-size", "40,64"},
                  {"heads", "2"},
                  {"causal", "full,causal,bottom_right,-3,+5"}}});
}

TEST(Conformance, GroupedHeadsBatchesAndValueSizes) {
  ExpectAllPass({{{"seq", "17,65"},
                  {"heads", "6"},
                  {"kv-heads", "1,2,6"},
                  {"head-size", "64"},
                  {"batch", "1,3"},
                  {"causal", "full,causal"}},
                 {{"seq", "33"},
                  {"head-size", "64"},
                  {"v-head-size", "1,24,96"},
                  {"heads", "2"},
                  {"causal", "full,causal"}}});
}

const char* kAllData =
    "normal,uniform01,uniform11,peaky,large_scores,offset_v,constant_v,rising,falling,cancelling,"
    "tiny,range";

TEST(Conformance, DataKinds) {
  ExpectAllPass({{{"seq", "129"},
                  {"head-size", "64"},
                  {"heads", "2"},
                  {"causal", "full,causal"},
                  {"data", kAllData}}});
}

TEST(Conformance, OtherTypes) {
  ExpectAllPass({{{"seq", "33,257"},
                  {"head-size", "40,128"},
                  {"heads", "4"},
                  {"kv-heads", "2"},
                  {"causal", "full,causal"},
                  {"dtype", "f16,bf16,f64"},
                  {"data", kAllData}}},
                Unsupported::kWithAReason);
}

TEST(Conformance, MasksAndOtherOutputs) {
  const Axes common = {{"seq", "33"},
                       {"kv-len", "17,65"},
                       {"heads", "4"},
                       {"kv-heads", "2"},
                       {"head-size", "40"},
                       {"batch", "2"},
                       {"dtype", "f32,f16,bf16"},
                       {"layout", "bnsh,bsnh"}};
  Axes masks = common;
  masks.insert({{"mask", "none,boolean,additive"},
                {"softcap", "0,5"},
                {"causal", "full,-3"},
                {"lse", "1"},
                {"weights", "0,1"}});
  Axes windows = common;
  windows.insert({{"window", "5:3,0:0,7:-1,-1:2"},
                  {"kv-lengths", "0,1"},
                  {"mask", "none,boolean"},
                  {"scale", "head,-0.3"}});
  // Rows that pass two blocks of keys and see none of either: some windows lead to one key alone,
  // behind a block's end, and the mask hides it.
  const Axes unseen = {
      {"seq", "100"},     {"kv-len", "17,33,65,129"}, {"heads", "8"},      {"head-size", "40"},
      {"causal", "full"}, {"window", "0:0,3:0"},      {"mask", "boolean"}, {"lse", "1"}};
  ExpectAllPass({masks, windows, unseen}, Unsupported::kWithAReason);
}

TEST(Conformance, MemoryLayouts) {
  ExpectAllPass({{{"seq", "31,128"},
                  {"head-size", "40,64"},
                  {"heads", "4"},
                  {"kv-heads", "2"},
                  {"layout", "bnsh,bsnh,bnsh_padded,bsnh_padded"},
                  {"causal", "full,causal"}},
                 // Ungrouped: libraries that are told of groups by a dimension are not.
                 {{"seq", "17"},
                  {"head-size", "1,40"},
                  {"heads", "4"},
                  {"layout", "bsnh,bsnh_padded"},
                  {"causal", "full"}}},
                Unsupported::kNever, Checks::kAll);
}

TEST(Conformance, MaskShapes) {
  ExpectAllPass({{{"seq", "33"},
                  {"kv-len", "33,65"},
                  {"head-size", "40"},
                  {"heads", "4"},
                  {"kv-heads", "2"},
                  {"batch", "2"},
                  {"mask", "boolean,additive"},
                  {"mask-shape", "shared,head,batch,full,keys"},
                  {"layout", "bnsh,bsnh_padded"},
                  {"causal", "full,causal"}}},
                Unsupported::kWithAReason, Checks::kAll);
}

// The layer, on every backend that has it; hidden sizes that heads do not divide are left out.
void ExpectLayersPass(const char* hidden, const char* heads, const char* lengths) {
  const Axes common = {
      {"op", "self_attention"}, {"hidden", hidden}, {"heads", heads}, {"causal", "full"}};
  Axes full = common, structures = common, cross = common, outputs = common;
  full.insert({{"seq", lengths}, {"bias", "0,1"}, {"out-proj", "0,1"}});
  structures.insert({{"seq", lengths}, {"structure", "tied_qk,mean_pool"}, {"bias", "1"}});
  cross.insert({{"seq", "1,6"}, {"kv-len", "3,17"}, {"bias", "1"}, {"structure", "full,tied_qk"}});
  outputs.insert({{"seq", "17"},
                  {"batch", "2"},
                  {"scale", "hidden"},
                  {"mask", "none,boolean"},
                  {"layout", "bnsh,bnsh_padded"},
                  {"lse", "1"},
                  {"weights", "1"}});
  Axes free = common;
  free.insert({{"seq", lengths}, {"structure", "parameter_free"}});
  ExpectAllPass({full, structures, cross, outputs, free}, Unsupported::kWithAReason);
}

TEST(Conformance, LayersOfOneHead) { ExpectLayersPass("3,64", "1", "1,3,6,17"); }
TEST(Conformance, LayersOfTwoHeads) { ExpectLayersPass("64", "2", "1,3,6,17"); }
TEST(Conformance, LayersOfTwelveHeads) { ExpectLayersPass("300", "12", "6,17"); }

TEST(Conformance, LayersWithGroupsAndOtherTypes) {
  ExpectAllPass({{{"op", "self_attention"},
                  {"seq", "17"},
                  {"heads", "4"},
                  {"kv-heads", "2"},
                  {"hidden", "64"},
                  {"v-head-size", "8,24"},
                  {"out-proj", "0,1"},
                  {"dtype", "f32,f16,bf16,f64"},
                  {"data", "normal,uniform01,peaky,tiny,range"},
                  {"causal", "full,causal"}}},
                Unsupported::kWithAReason);
}

// As large as layers are; minutes on a slow backend.
TEST(Conformance, LargeLayers) {
  ExpectLayersPass("64,300,768", "1,2", "1,3,6,17,197");
  ExpectLayersPass("300,768", "12", "1,3,6,17,197");
}

// Loads the backend; false (with the reason printed) where this machine does not have what it
// needs.
bool Available() {
  judge::Settings settings = SettingsFor({{{"seq", "1"}}});
  for (const report::Backend& row : judge::ListBackends(settings, {})) {
    if (row.state == report::BackendState::kLoaded) return true;
    std::cout << row.name << ": " << report::BackendStateName(row.state) << ": " << row.reason
              << "\n";
    if (row.state == report::BackendState::kUnavailable && !IsSet("ATTEST_REQUIRED")) {
      std::cout << "SKIPPED: " << row.name << " is unavailable on this machine\n";
      std::exit(0);
    }
  }
  return false;
}

// False, with the reason printed, where a variant whose library is looked for at run time has none.
bool HasItsLibrary() {
  const judge::Outcome outcome = judge::RunSweep(SettingsFor({{{"seq", "8"}}}), {});
  for (const report::CellRecord& cell : outcome.cells)
    for (const report::Result& result : cell.results) {
      if (result.verdict != report::Verdict::kUnsupported) continue;
      std::cout << "SKIPPED: " << report::LabelOf(result) << ": " << result.reason << "\n";
      return false;
    }
  return true;
}

}  // namespace
}  // namespace attest

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  if (argc < 2 || std::getenv("ATTEST_BUILD_DIR") == nullptr) {
    std::cerr << "usage: ATTEST_BUILD_DIR=build conformance BACKEND[:VARIANT]...\n";
    return 2;
  }
  attest::patterns.assign(argv + 1, argv + argc);
  if (!attest::Available()) {
    std::cerr << "no backend '" << argv[1] << "' could be loaded\n";
    return 1;
  }
  if (attest::IsSet(attest::kLibraryOptional) && !attest::HasItsLibrary()) return 0;
  return RUN_ALL_TESTS();
}
