// SPDX-License-Identifier: Apache-2.0
//
// attest explain: one small layer, step by step, on a real backend.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdio>
#include <limits>
#include <memory>
#include <stdexcept>

#include "harness/cli/command.h"
#include "harness/cli/exit_code.h"
#include "harness/cli/options.h"
#include "harness/cli/settings.h"
#include "harness/core/words.h"
#include "harness/explain/explanation_json.h"
#include "harness/explain/explanation_text.h"
#include "harness/explain/layer_case.h"
#include "harness/explain/steps.h"
#include "harness/explain/study.h"
#include "harness/explain/weights_svg.h"
#include "harness/judge/backends.h"

namespace attest::cli {
namespace {

struct ExplainOptions {
  explain::CaseOptions layer;
  RunOptions run;  // backends, threads and the time limit
  std::string tokens, context_tokens, study, picture, format = "text";
};

// The rows of the table that people know self-attention by, and what shows each.
constexpr const char* kFooter = R"(What shows what:
  Q, K and V are X times one matrix each      attest explain
  scores are an L x L matrix, then weights    attest explain --weights weights.svg
  why scores are divided by sqrt(d)           attest explain --study scale
  ... and by which: head size or hidden size  attest explain --random 6x768 --heads 12 --scale hidden
  weights are positive, rows sum to 1         attest explain
  the output is a weighted sum of values      attest explain
  the example of three tokens of width 3      attest explain
  six tokens, 768 wide                        attest explain --random 6x768 --tokens a,b,c,d,e,f
                                              attest run --suite seeds
  without maps, Q = K = V = X                 attest explain --structure parameter_free
  why K is not used for Q                     attest explain --structure tied_qk
                                              attest explain --study tied
  i attends to j is not j attends to i        attest explain
  the mean of values as the worst mix         attest explain --structure mean_pool
                                              attest explain --study pool
  attention as a dictionary                   attest explain --example dictionary
  attention as a market                       attest explain --example market
  encoder and decoder (cross-attention)       attest explain --input x.csv --context y.csv
                                              attest run --suite cross
  many heads; BERT and vision transformers    attest explain --random 6x768 --heads 12
                                              attest run --suite bert
                                              attest run --suite vit
  attention pictures                          attest explain --weights weights.png

FILE is CSV (a row each line) or JSON: [[1, 2, 3], [4, 5, 6]], or an object with x and, where wanted,
x_kv, w_q, w_k, w_v as nn.Linear stores them, tokens: what --format json writes can be read again.)";

std::vector<std::string> Labels(const std::string& text) { return Split(text, ','); }

// Whether the backend said of the whole layer that it does not do that.
bool IsUnsupported(const explain::Explanation& explanation) {
  return explanation.step("output").verdict == report::Verdict::kUnsupported;
}

// The first that computes the layer; without a backend where none does.
explain::Explanation FirstThatCan(const explain::LayerCase& layer, judge::Field& field,
                                  unsigned threads) {
  explain::Explanation last;
  for (judge::Contender& contender : field.contenders) {
    last = explain::Explain(layer, contender, threads);
    if (!IsUnsupported(last)) return last;
    fmt::print(stderr, "attest: {}: {}\n", last.backend, last.step("output").reason);
  }
  last.backend.clear();
  return last;
}

ExitCode CodeOf(const explain::Explanation& explanation) {
  const auto failed = [](const explain::Step& step) {
    return !step.reference.empty() && report::IsFailure(step.verdict);
  };
  return std::any_of(explanation.steps.begin(), explanation.steps.end(), failed)
             ? kVerificationFailed
             : kAllVerified;
}

void Draw(const explain::Explanation& explanation, const std::string& path) {
  const explain::Step& weights = explanation.step("weights");
  if (weights.value.empty())
    throw std::invalid_argument(fmt::format("--weights {}: {} gives no weights: {}", path,
                                            explanation.backend, weights.reason));
  explain::WritePicture(
      path, explain::WeightsSvg(
                fmt::format("Attention weights on {}, in % of each row", explanation.backend),
                weights.value, explanation.layer.tokens, explanation.layer.key_tokens));
}

// The first backend that gives weights on all cells of the study.
int RunStudy(const ExplainOptions& options, judge::Field& field, unsigned threads) {
  for (judge::Contender& contender : field.contenders) {
    const explain::Study study =
        explain::RunStudy(options.study, contender, options.layer.seed, threads);
    const bool failed =
        std::any_of(study.rows.begin(), study.rows.end(),
                    [](const explain::StudyRow& row) { return report::IsFailure(row.verdict); });
    if (study.sentence.empty() && !failed) {
      fmt::print(stderr, "attest: {}: {}\n", study.backend, study.rows.back().reason);
      continue;
    }
    if (!options.picture.empty())
      explain::WritePicture(options.picture, explain::BarChartSvg(explain::ChartOf(study)));
    fmt::print("{}",
               options.format == "json" ? explain::StudyJson(study) : explain::StudyText(study));
    std::fflush(stdout);
    return failed ? kVerificationFailed : kAllVerified;
  }
  fmt::print(stderr, "attest: no backend gives the weights of this study: see attest list\n");
  return kNothingVerified;
}

void RequireKnownStudy(const ExplainOptions& options) {
  const std::vector<std::string> known = explain::StudyNames();
  if (std::find(known.begin(), known.end(), options.study) == known.end())
    throw std::invalid_argument("--study: " + UnknownWord("study", options.study, known));
  if (!options.layer.example.empty() || !options.layer.input.empty() ||
      !options.layer.random.empty())
    throw std::invalid_argument(
        "--study has cells of its own: leave out --example, --input and --random");
}

int Run(const ExplainOptions& options) {
  if (!options.study.empty()) {
    RequireKnownStudy(options);
    judge::Settings settings = SettingsOf(options.run, false);
    settings.cells.clear();
    judge::Field field = judge::Assemble(settings, {});
    return RunStudy(options, field, settings.threads);
  }
  explain::CaseOptions wanted = options.layer;
  wanted.tokens = Labels(options.tokens);
  wanted.context_tokens = Labels(options.context_tokens);
  const explain::LayerCase layer = explain::MakeCase(wanted);
  judge::Settings settings = SettingsOf(options.run, false);
  settings.cells.clear();
  judge::Field field = judge::Assemble(settings, {});
  const explain::Explanation explanation = FirstThatCan(layer, field, settings.threads);
  if (explanation.backend.empty()) {
    fmt::print(stderr,
               "attest: no backend computes this layer: see attest list, or name one with "
               "--backend\n");
    return kNothingVerified;
  }
  if (!options.picture.empty()) Draw(explanation, options.picture);
  fmt::print("{}", options.format == "json" ? explain::ExplanationJson(explanation)
                                            : explain::ExplanationText(explanation));
  std::fflush(stdout);
  return CodeOf(explanation);
}

void AddLayer(CLI::App& parser, ExplainOptions& options) {
  constexpr const char* kGroup = "Layer";
  const auto add = [&](const char* name, auto& value, const std::string& text) {
    return parser.add_option(name, value, text)->group(kGroup);
  };
  std::string examples;
  for (const std::string& name : explain::ExampleNames())
    examples += fmt::format("{}{}: {}", examples.empty() ? "" : "; ", name,
                            explain::ExampleDescription(name));
  add("--example", options.layer.example, examples);
  add("--input", options.layer.input, "X from a CSV or JSON file, a row for each token");
  add("--random", options.layer.random, "TOKENSxHIDDEN: normal X of that shape, seeded");
  add("--context", options.layer.context,
      "X_KV from a file: K and V come from these tokens (cross-attention)");
  add("--tokens", options.tokens, "names of the rows of X, a,b,c");
  add("--context-tokens", options.context_tokens, "names of the rows of X_KV");
  const CLI::Range count(int64_t{1}, std::numeric_limits<int64_t>::max());
  add("--heads", options.layer.heads, "heads; default 1")->check(count);
  add("--hidden", options.layer.hidden, "width that X must have")->check(count);
  add("--structure", options.layer.structure, "full, tied_qk, parameter_free or mean_pool")
      ->capture_default_str();
  add("--scale", options.layer.scale,
      "head (1/sqrt(head size)), hidden (1/sqrt(hidden)), none (1) or a number")
      ->capture_default_str();
  parser.add_flag("--causal", options.layer.causal, "a token sees itself and those before it")
      ->group(kGroup);
  add("--study", options.study,
      fmt::format("in place of a layer, the figures of a suite study-NAME: {}",
                  fmt::join(explain::StudyNames(), ", ")));
  add("--seed", options.layer.seed, "of weights and X that nobody gives")->capture_default_str();
}

}  // namespace

Command AddExplain(CLI::App& app) {
  CLI::App* parser = app.add_subcommand(
      "explain", "one small layer step by step: X, Q, K, V, scores, weights, output");
  const auto options = std::make_shared<ExplainOptions>();
  AddLayer(*parser, *options);
  parser
      ->add_option("--backend", options->run.backends,
                   "BACKEND[:VARIANT[@DEVICE]]; default: the first that can")
      ->group("Backends");
  AddBackendPathOption(*parser, options->run.backend_paths);
  parser->add_option("--threads", options->run.threads, "threads of host backends")
      ->check(CLI::Range(1, std::numeric_limits<int>::max()))
      ->group("Backends");
  parser
      ->add_option(
          "--weights", options->picture,
          "picture of the weights, a map for each head, or of the study: FILE.svg or FILE.png")
      ->group("Output");
  parser->add_option("--format", options->format, "text or json (for a notebook)")
      ->capture_default_str()
      ->check(CLI::IsMember({"text", "json"}))
      ->group("Output");
  parser->footer(kFooter);
  return {parser, [options] { return Run(*options); }};
}

}  // namespace attest::cli
