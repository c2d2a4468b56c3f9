// SPDX-License-Identifier: Apache-2.0
#include "harness/explain/layer_case.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <stdexcept>

#include "harness/core/inputs.h"
#include "harness/core/names.h"
#include "harness/core/problem.h"
#include "harness/core/words.h"
#include "harness/explain/values_file.h"

namespace attest::explain {
namespace {

// An explanation is read, not measured. Scores are asked for key by key.
constexpr int64_t kMostTokens = 512;
constexpr int64_t kMostHidden = 16384;

void Require(bool holds, const std::string& rule) {
  if (!holds) throw std::invalid_argument(rule);
}

double Uniform(uint64_t seed, uint64_t stream, uint64_t position) {
  return static_cast<double>(HashBits(seed, stream, position) >> 11) * 0x1p-53;
}

// Sum of 12 uniforms: near enough to normal for values that stand for words.
Matrix RandomX(const std::string& text, uint64_t seed) {
  int64_t sizes[2] = {};
  const std::vector<std::string> parts = Split(text, 'x');
  bool good = parts.size() == 2;
  for (size_t n = 0; good && n < 2; ++n) {
    const char *first = parts[n].data(), *last = first + parts[n].size();
    const auto [end, error] = std::from_chars(first, last, sizes[n]);
    good = error == std::errc() && end == last && sizes[n] >= 1;
  }
  Require(good, fmt::format("--random: '{}' is no shape: use TOKENSxHIDDEN, such as 6x768", text));
  Require(sizes[0] <= kMostTokens && sizes[1] <= kMostHidden,
          fmt::format("--random: {} is too large to be read: at most {}x{}", text, kMostTokens,
                      kMostHidden));
  Matrix x(sizes[0], sizes[1]);
  for (size_t n = 0; n < x.values.size(); ++n) {
    for (uint64_t term = 0; term < 12; ++term) x.values[n] += Uniform(seed, 300 + term, n);
    x.values[n] -= 6;
  }
  return x;
}

// The default of nn.Linear: uniform in +-1/sqrt(in).
Matrix RandomWeights(int64_t out, int64_t in, uint64_t seed, uint64_t stream) {
  Matrix w(out, in);
  for (size_t n = 0; n < w.values.size(); ++n)
    w.values[n] = (2 * Uniform(seed, stream, n) - 1) / std::sqrt(static_cast<double>(in));
  return w;
}

LayerCase Given(const CaseOptions& options) {
  const int sources = !options.example.empty() + !options.input.empty() + !options.random.empty();
  Require(sources <= 1, "--example, --input and --random exclude each other: each one gives X");
  if (!options.random.empty()) {
    LayerCase c;
    c.x = RandomX(options.random, options.seed);
    return c;
  }
  if (options.input.empty())
    return ExampleCase(options.example.empty() ? "three-tokens" : options.example);
  Values values = ReadValuesFile(options.input);
  LayerCase c;
  c.x = std::move(values.x), c.x_kv = std::move(values.x_kv);
  c.w_q = std::move(values.w_q), c.w_k = std::move(values.w_k), c.w_v = std::move(values.w_v);
  c.tokens = std::move(values.tokens), c.key_tokens = std::move(values.key_tokens);
  return c;
}

void CheckWidths(const LayerCase& c, const CaseOptions& options) {
  const int64_t hidden = c.x.columns;
  Require(options.hidden == 0 || options.hidden == hidden,
          fmt::format("X is {}, but --hidden {} needs [{} x {}]", ShapeText(c.x), options.hidden,
                      c.x.rows, options.hidden));
  Require(c.x_kv.empty() || c.x_kv.columns == hidden,
          fmt::format("X_KV is {}, but must be [{} x {}]: as wide as X, which is {}",
                      ShapeText(c.x_kv), c.x_kv.rows, hidden, ShapeText(c.x)));
  const std::pair<const char*, const Matrix*> weights[] = {
      {"w_q", &c.w_q}, {"w_k", &c.w_k}, {"w_v", &c.w_v}};
  for (const auto& [name, w] : weights)
    Require(w->empty() || w->columns == hidden,
            fmt::format("X is {}, but {} is {} ([out x in], as nn.Linear stores it): X must be [{} "
                        "x {}]",
                        ShapeText(c.x), name, ShapeText(*w), c.x.rows, w->columns));
  for (const Matrix* tokens : {&c.x, &c.x_kv})
    Require(tokens->rows <= kMostTokens,
            fmt::format("{} tokens are too many to be read, at most {}: attest run measures long "
                        "sequences",
                        tokens->rows, kMostTokens));
}

int64_t HeadSize(const char* name, int64_t rows, int64_t heads) {
  Require(rows % heads == 0,
          fmt::format("{} is {}, which {} heads do not divide: needed is one such as {}, or other "
                      "--heads",
                      name, rows, heads, (rows + heads - 1) / heads * heads));
  return rows / heads;
}

int32_t StructureOf(const std::string& text) {
  std::vector<std::string> words;
  for (int32_t n = ATTEST_STRUCTURE_FULL; n <= ATTEST_STRUCTURE_MEAN_POOL; ++n) {
    words.emplace_back(StructureName(n));
    if (words.back() == text) return n;
  }
  throw std::invalid_argument("--structure: " + UnknownWord("value", text, words));
}

double ScaleOf(const std::string& text, int64_t head_size, int64_t hidden) {
  if (text == "head") return 1 / std::sqrt(static_cast<double>(head_size));
  if (text == "hidden") return 1 / std::sqrt(static_cast<double>(hidden));
  if (text == "none") return 1;
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  Require(
      error == std::errc() && end == text.data() + text.size() && std::isfinite(value) &&
          value != 0,
      fmt::format("--scale: '{}' is neither head, hidden, none nor a number other than 0", text));
  return value;
}

// Weights that nobody gave; those that the structure does not have are dropped.
void CompleteWeights(LayerCase& c, int32_t structure, uint64_t seed) {
  const int64_t hidden = c.x.columns;
  const bool small = hidden == 3;
  const auto complete = [&](Matrix& w, int64_t out, std::vector<double> fixed, uint64_t stream) {
    if (!w.empty()) return;
    w = small && out == 3 ? Matrix(3, 3, std::move(fixed))
                          : RandomWeights(out, hidden, seed, stream);
  };
  const int64_t out = !c.w_q.empty() ? c.w_q.rows : !c.w_k.empty() ? c.w_k.rows : hidden;
  complete(c.w_q, out, {0.5, 0, 0, 0, 0.25, 0, 0.25, 0, 0.25}, 320);
  complete(c.w_k, out, {0, 0.5, 0, 0.5, 0, 0, 0, -0.25, 0.5}, 321);
  complete(c.w_v, hidden, {1, 0, 0, 0, 0.5, 0, 0, -0.5, 0.5}, 322);
  const bool has_v = structure != ATTEST_STRUCTURE_PARAMETER_FREE;
  const bool has_q = has_v && structure != ATTEST_STRUCTURE_MEAN_POOL;
  if (!has_v) c.w_v = {};
  if (!has_q) c.w_q = {};
  if (!has_q) c.w_k = {};
  if (structure == ATTEST_STRUCTURE_TIED_QK) c.w_k = c.w_q;
}

void SetProblem(LayerCase& c, const CaseOptions& options) {
  attest_problem& p = c.problem = DefaultProblem();
  p.op = ATTEST_OP_SELF_ATTENTION;
  p.structure = StructureOf(options.structure);
  p.hidden_size = c.x.columns;
  p.q_num_heads = p.kv_num_heads = options.heads == 0 ? 1 : options.heads;
  if (c.w_q.empty() && c.w_k.empty() && c.w_v.empty())
    (void)HeadSize("hidden_size", p.hidden_size, p.q_num_heads);
  CompleteWeights(c, p.structure, options.seed);
  const int64_t q_rows = c.w_q.empty() ? p.hidden_size : c.w_q.rows;
  const int64_t v_rows = c.w_v.empty() ? p.hidden_size : c.w_v.rows;
  Require(c.w_k.empty() || c.w_k.rows == c.w_q.rows,
          fmt::format("w_k is {}, but must be {} as w_q is: queries and keys are compared",
                      ShapeText(c.w_k), ShapeText(c.w_q)));
  p.head_size =
      HeadSize(c.w_q.empty() ? "hidden_size" : "the number of rows of w_q", q_rows, p.q_num_heads);
  p.v_head_size =
      HeadSize(c.w_v.empty() ? "hidden_size" : "the number of rows of w_v", v_rows, p.q_num_heads);
  // Nothing reads it there.
  if (p.structure == ATTEST_STRUCTURE_MEAN_POOL) p.head_size = p.v_head_size;
  p.scale = ScaleOf(options.scale, p.head_size, p.hidden_size);
  p.q_sequence_length = c.x.rows;
  p.kv_sequence_length = c.keys().rows;
  p.is_cross = !c.x_kv.empty();
  p.is_causal = options.causal;
  p.outputs = ATTEST_OUTPUT_WEIGHTS;
  ResolveProblem(p);
}

void CompleteLabels(const char* option, std::vector<std::string>& labels, int64_t count,
                    const char* prefix) {
  Require(std::ssize(labels) <= count,
          fmt::format("{} gives {} labels, but there are {} tokens: needed are at most {}", option,
                      labels.size(), count, count));
  while (std::ssize(labels) < count)
    labels.push_back(fmt::format("{}{}", prefix, labels.size() + 1));
}

void SetLabels(LayerCase& c, const CaseOptions& options) {
  if (!options.tokens.empty()) c.tokens = options.tokens;
  if (!options.context_tokens.empty()) c.key_tokens = options.context_tokens;
  Require(!c.x_kv.empty() || options.context_tokens.empty(),
          "--context-tokens names the rows of --context, which is not given");
  CompleteLabels("--tokens", c.tokens, c.x.rows, "x");
  if (c.x_kv.empty()) c.key_tokens = c.tokens;
  CompleteLabels("--context-tokens", c.key_tokens, c.keys().rows, "y");
}

}  // namespace

LayerCase MakeCase(const CaseOptions& options) {
  Require(options.heads >= 0 && options.hidden >= 0, "--heads and --hidden must be at least 1");
  LayerCase c = Given(options);
  if (!options.context.empty()) c.x_kv = ReadValuesFile(options.context).x;
  CheckWidths(c, options);
  SetProblem(c, options);
  RoundToFloat(c.x, "X");
  RoundToFloat(c.x_kv, "X_KV");
  for (Matrix* w : {&c.w_q, &c.w_k, &c.w_v}) RoundToFloat(*w, "a weight");
  SetLabels(c, options);
  return c;
}

}  // namespace attest::explain
