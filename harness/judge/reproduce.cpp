// SPDX-License-Identifier: Apache-2.0
//
// The options of harness/core/sweep.h that name a cell, and those that bring the plugin there.
#include "harness/judge/reproduce.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "harness/core/threads.h"

namespace attest::judge {
namespace {

std::string LayerOptions(const attest_problem& p) {
  std::string text = fmt::format(" --op {} --hidden {}", OpName(p.op), p.hidden_size);
  if (p.structure != ATTEST_STRUCTURE_FULL)
    text += fmt::format(" --structure {}", StructureName(p.structure));
  if (p.has_bias) text += " --bias 1";
  if (p.has_output_projection) text += " --out-proj 1";
  if (p.is_cross) text += " --cross 1";
  return text;
}

std::string Options(const Cell& cell) {
  const attest_problem& p = cell.problem;
  std::string text;
  if (p.op == ATTEST_OP_SELF_ATTENTION) text += LayerOptions(p);
  if (p.v_head_size != p.head_size) text += fmt::format(" --v-head-size {}", p.v_head_size);
  if (p.batch_size != 1) text += fmt::format(" --batch {}", p.batch_size);
  if (p.kv_num_heads != p.q_num_heads) text += fmt::format(" --kv-heads {}", p.kv_num_heads);
  // Said of full attention, too: the default suite has both.
  text += p.is_causal ? fmt::format(" --causal={:+}", p.causal_offset) : " --causal full";
  if (p.left_window_size >= 0 || p.right_window_size >= 0)
    text += fmt::format(" --window={}:{}", p.left_window_size, p.right_window_size);
  if (p.softcap != 0) text += fmt::format(" --softcap {}", p.softcap);
  if (p.scale != 1 / std::sqrt(static_cast<double>(p.head_size)))
    text += fmt::format(" --scale {}", p.scale);
  if (p.attn_mask != ATTEST_MASK_NONE) text += fmt::format(" --mask {}", MaskName(p.attn_mask));
  if (cell.mask_shape != MaskShape::kShared)
    text += fmt::format(" --mask-shape {}", MaskShapeName(cell.mask_shape));
  if (p.has_kv_lengths) text += " --kv-lengths 1";
  if (p.dtype != ATTEST_F32) text += fmt::format(" --dtype {}", DtypeName(p.dtype));
  if (cell.layout != Layout::kBnsh) text += fmt::format(" --layout {}", LayoutName(cell.layout));
  if (p.outputs & ATTEST_OUTPUT_LSE) text += " --lse 1";
  if (p.outputs & ATTEST_OUTPUT_WEIGHTS) text += " --weights 1";
  if (cell.data != "normal") text += fmt::format(" --data {}", cell.data);
  return text;
}

std::string Quoted(const std::string& word) {
  const auto plain = [](unsigned char c) {
    return std::isalnum(c) != 0 ||
           std::string_view("_@%+=:,./-").find(static_cast<char>(c)) != std::string_view::npos;
  };
  if (!word.empty() && std::all_of(word.begin(), word.end(), plain)) return word;
  std::string quoted = "'";
  for (const char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

// The plugin's folder, where it is one that the program does not look into by itself; with its
// label, where the backend's name has one.
std::string PathOption(const Settings& settings, const Contender& contender) {
  namespace fs = std::filesystem;
  const fs::path folder = fs::path(contender.host->plugin_path()).parent_path();
  std::string option;
  for (const std::string& given : settings.backend_paths) {
    const PluginDirectory directory = ParsePluginDirectory(given);
    if (fs::weakly_canonical(directory.path) != fs::weakly_canonical(folder)) continue;
    const bool labelled = !directory.label.empty();
    const std::string backend = SplitThreads(contender.backend).backend;
    if (labelled && !backend.ends_with("-" + directory.label)) continue;
    if (labelled || option.empty()) option = fmt::format(" --backend-path {}", Quoted(given));
  }
  return option;
}

}  // namespace

bool FailedInARound(const report::Result& result) {
  bool timed = false, rerun = false;
  if (result.verification)
    for (const report::Check& check : result.verification->checks) {
      timed |= check.name == "timed_output" && check.outcome == "fail";
      rerun |= check.name == "rerun" && check.outcome == "fail";
    }
  return timed && !rerun;
}

std::string ReproduceCommand(const Settings& settings, const Contender& contender, const Cell& cell,
                             const report::Result& result) {
  const attest_problem& p = cell.problem;
  std::string text = fmt::format(
      "attest {}{} --backend {} --seq {} --kv-len {} --heads {} --head-size {}{} "
      "--seed {}",
      FailedInARound(result) ? "run" : "verify", PathOption(settings, contender),
      ResultLabel(SplitThreads(contender.backend).backend, contender.variant,
                  contender.host->device()),
      p.q_sequence_length, p.kv_sequence_length, p.q_num_heads, p.head_size, Options(cell),
      cell.seed);
  if (settings.fixed_threads) text += fmt::format(" --threads {}", contender.host->threads());
  if (result.verdict == report::Verdict::kTimeout)
    text += fmt::format(" --timeout {}", settings.timeout_seconds);
  return text;
}

}  // namespace attest::judge
