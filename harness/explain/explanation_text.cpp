// SPDX-License-Identifier: Apache-2.0
#include "harness/explain/explanation_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "harness/core/names.h"
#include "harness/explain/block.h"
#include "harness/explain/svg_text.h"
#include "harness/report/format.h"
#include "harness/report/model.h"

namespace attest::explain {
namespace {

constexpr int64_t kWidth = 80;
constexpr int64_t kBarWidth = 40;
constexpr size_t kMostHeads = 2;  // of a step that are shown
constexpr const char* kIndent = "  ";

std::string Wrap(const std::string& text) {
  std::string wrapped;
  for (const std::string& line : WrapText(text, kWidth)) wrapped += line + "\n";
  return wrapped;
}

int64_t Width(const std::vector<std::string>& lines) {
  int64_t width = 0;
  for (const std::string& line : lines) width = std::max(width, DisplayWidth(line));
  return width;
}

class Text {
 public:
  explicit Text(const Explanation& explanation) : e_(explanation), p_(explanation.layer.problem) {}

  std::string Write() {
    Heading();
    Inputs();
    for (const Step& step : e_.steps) Write(step);
    if (!e_.layer.sentence.empty()) text_ += fmt::format("\n{}", Wrap(e_.layer.sentence));
    Verdict();
    return std::move(text_);
  }

 private:
  void Heading() {
    const LayerCase& c = e_.layer;
    text_ += Wrap(
        fmt::format("Self-attention on {}: {} token{} of width {}{}, {} head{} of size {}, {}{}",
                    e_.backend, c.x.rows, c.x.rows == 1 ? "" : "s", c.x.columns,
                    c.x_kv.empty() ? "" : fmt::format(" to {} others", c.x_kv.rows), p_.q_num_heads,
                    p_.q_num_heads == 1 ? "" : "s", p_.head_size, StructureName(p_.structure),
                    p_.is_causal != 0 ? ", causal" : ""));
    text_ += Wrap(fmt::format("scale {}{}", report::FormatNumber(p_.scale), ScaleNote()));
  }

  // Which of the two conventions it is; they are the same for one head.
  std::string ScaleNote() const {
    const auto is = [&](int64_t size) {
      return p_.scale == 1 / std::sqrt(static_cast<double>(size));
    };
    if (is(p_.head_size)) return fmt::format(" = 1/sqrt({}), the head size", p_.head_size);
    if (is(p_.hidden_size)) return fmt::format(" = 1/sqrt({}), the hidden size", p_.hidden_size);
    return p_.scale == 1 ? ": none" : ", as given";
  }

  void Lines(const std::vector<std::string>& lines) {
    for (const std::string& line : lines) text_ += (line.empty() ? "" : kIndent + line) + "\n";
  }

  void Inputs() {
    const LayerCase& c = e_.layer;
    text_ += fmt::format("\nX  {}\n", ShapeText(c.x));
    Lines(Block(c.x, {c.tokens, {}}));
    if (!c.x_kv.empty()) {
      text_ += fmt::format("\nX_KV  {}, what K and V are made of\n", ShapeText(c.x_kv));
      Lines(Block(c.x_kv, {c.key_tokens, {}}));
    }
    const bool tied = p_.structure == ATTEST_STRUCTURE_TIED_QK;
    std::vector<std::pair<std::string, const Matrix*>> weights = {
        {tied ? "Wq = Wk" : "Wq", &c.w_q}, {"Wk", &c.w_k}, {"Wv", &c.w_v}};
    if (tied) weights.erase(weights.begin() + 1);
    std::erase_if(weights, [](const auto& weight) { return weight.second->empty(); });
    if (weights.empty()) return;
    text_ += "\nWeights as nn.Linear stores them, [out x in]\n";
    std::vector<std::vector<std::string>> blocks;
    bool fit = true;
    for (const auto& [name, w] : weights) {
      std::vector<std::string> block = Block(*w, {{}, {}});
      block.insert(block.begin(), fmt::format("{}  {}", name, ShapeText(*w)));
      fit = fit && FitsWidth(*w, {{}, {}});
      blocks.push_back(std::move(block));
    }
    const std::vector<std::string> beside = Beside(blocks, "    ");
    if (fit && Width(beside) + 2 <= kWidth) return Lines(beside);
    for (const auto& block : blocks) Lines(block);
  }

  std::string Title(const Step& step) const {
    const bool mapped = p_.structure != ATTEST_STRUCTURE_PARAMETER_FREE;
    const std::string y = e_.layer.x_kv.empty() ? "X" : "X_KV";
    const std::string wk = p_.structure == ATTEST_STRUCTURE_TIED_QK ? "Wq" : "Wk";
    if (step.key == "q") return mapped ? "Q = X Wq^T" : "Q = X";
    if (step.key == "k") return fmt::format("K = {}{}", y, mapped ? " " + wk + "^T" : "");
    if (step.key == "v") return fmt::format("V = {}{}", y, mapped ? " Wv^T" : "");
    if (step.key == "scores") return "scores = Q K^T: row i, how well each key fits query i";
    if (step.key == "scaled_scores") return "scaled scores = scale Q K^T";
    if (step.key == "weights")
      return p_.structure == ATTEST_STRUCTURE_MEAN_POOL ? "weights: equal for all keys, in %"
                                                        : "weights = softmax of each row, in %";
    return "output = weights V";
  }

  BlockStyle StyleOf(const Step& step) const {
    const bool of_keys = step.key == "k" || step.key == "v";
    BlockStyle style{of_keys ? e_.layer.key_tokens : e_.layer.tokens, {}};
    if (step.key == "scores" || step.key == "scaled_scores" || step.key == "weights")
      style.column_labels = e_.layer.key_tokens;
    if (step.key == "weights") style.numbers = Numbers::kPercent;
    return style;
  }

  // A matrix for each head: Q, K, V and the output are cut into them.
  std::vector<Matrix> Heads(const std::vector<Matrix>& matrices) const {
    if (matrices.size() != 1 || p_.q_num_heads == 1) return matrices;
    std::vector<Matrix> heads;
    const int64_t size = matrices[0].columns / p_.q_num_heads;
    for (int64_t h = 0; h < p_.q_num_heads; ++h)
      heads.push_back(Columns(matrices[0], h * size, size));
    return heads;
  }

  void Write(const Step& step) {
    if (step.reference.empty()) return;
    const std::vector<Matrix> references = Heads(step.reference), values = Heads(step.value);
    text_ += fmt::format("\n{}  {}{}\n", Title(step), ShapeText(step.reference[0]),
                         step.reference.size() > 1 ? " each" : "");
    if (values.empty()) {
      text_ += Wrap(fmt::format("  {} does not give it: {}", e_.backend, step.reason));
      return;
    }
    double largest = 0;
    for (size_t h = 0; h < values.size(); ++h) {
      const double difference = LargestDifference(values[h], references[h]);
      largest = difference <= largest ? largest : difference;
      if (h >= kMostHeads) continue;
      if (values.size() > 1) text_ += fmt::format("  head {}\n", h + 1);
      Pair(values[h], references[h], StyleOf(step));
    }
    if (values.size() > kMostHeads)
      text_ += fmt::format("  .. and {} more heads: --format json has all\n",
                           values.size() - kMostHeads);
    text_ += fmt::format("  largest difference {}\n",
                         largest == 0 ? "0" : fmt::format("{:.1e}", largest));
    if (step.key == "weights") Weights(values[0]);
  }

  // The backend's numbers, and the reference's beside them or, where that is too wide, below.
  void Pair(const Matrix& value, const Matrix& reference, const BlockStyle& style) {
    std::vector<std::string> left = Block(value, style);
    BlockStyle bare = style;
    bare.row_labels.clear();
    std::vector<std::string> right = Block(reference, bare);
    const std::string name = e_.backend + ":";
    left.insert(left.begin(), name);
    right.insert(right.begin(), "  reference in f64:");
    const std::vector<std::string> beside = Beside({left, right}, "   |");
    if (FitsWidth(value, style) && Width(beside) + 2 <= kWidth) return Lines(beside);
    Lines(left);
    right = Block(reference, style);
    right.insert(right.begin(), "reference in f64:");
    Lines(right);
  }

  void Weights(const Matrix& weights) {
    double worst = 0;
    for (int64_t i = 0; i < weights.rows; ++i) {
      double sum = 0;
      for (int64_t j = 0; j < weights.columns; ++j) sum += weights.at(i, j);
      worst = std::fmax(worst, std::fabs(sum - 1));
    }
    text_ +=
        worst == 0 ? "  rows sum to 1\n" : fmt::format("  rows sum to 1 within {:.1e}\n", worst);
    if (weights.rows == 1) Bars(weights);
  }

  void Bars(const Matrix& weights) {
    text_ += fmt::format("\n{} takes of\n", e_.layer.tokens[0]);
    for (int64_t j = 0; j < weights.columns; ++j) {
      const double share = weights.at(0, j);
      const auto length = static_cast<size_t>(
          std::clamp(std::lround(share * static_cast<double>(kBarWidth)), 0L, kBarWidth));
      std::string line =
          fmt::format("  {}  {:5.1f} %  {}", Fit(e_.layer.key_tokens[static_cast<size_t>(j)], 12),
                      100 * share, std::string(length, '#'));
      line.erase(line.find_last_not_of(' ') + 1);
      text_ += line + "\n";
    }
  }

  void Verdict() {
    double worst = 0;
    std::string failures;
    for (const Step& step : e_.steps) {
      worst = std::fmax(worst, step.error_over_bound);
      if (!step.reference.empty() && step.verdict != report::Verdict::kPass)
        failures +=
            fmt::format("{} {}: {}\n", report::VerdictName(step.verdict), step.key, step.reason);
    }
    text_ += "\n";
    if (failures.empty())
      text_ += Wrap(fmt::format("Every step is within its error bound (at most {} of it).",
                                report::FormatNumber(worst)));
    else
      text_ += failures;
  }

  const Explanation& e_;
  const attest_problem& p_;
  std::string text_;
};

}  // namespace

std::string ExplanationText(const Explanation& explanation) { return Text(explanation).Write(); }

}  // namespace attest::explain
