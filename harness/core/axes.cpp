// SPDX-License-Identifier: Apache-2.0
#include "harness/core/axes.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <stdexcept>

#include "harness/core/inputs.h"
#include "harness/core/words.h"

namespace attest {
namespace {

constexpr const char* kGrammar = "use 128,512 or 128-4096*2 or 1024-4096+512";
constexpr int64_t kHeadSize = 64;
constexpr size_t kMostValues = 100000;  // far more than anybody waits for

int64_t ParseInteger(std::string_view axis, std::string_view text) {
  std::string_view digits = text.starts_with('+') ? text.substr(1) : text;
  int64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc() || end != digits.data() + digits.size() || digits.empty())
    throw std::invalid_argument(fmt::format("--{}: '{}' is no number: {}", axis, text, kGrammar));
  return value;
}

double ParseReal(std::string_view axis, std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value))
    throw std::invalid_argument(fmt::format("--{}: '{}' is no finite number", axis, text));
  return value;
}

// "128-4096*2", "1024-4096+512": first, last (both included), and the step.
void AppendRange(std::string_view axis, std::string_view text, std::vector<int64_t>& values) {
  const size_t dash = text.find('-', 1), step_at = text.find_first_of("*+", dash + 1);
  if (step_at == std::string_view::npos)
    throw std::invalid_argument(
        fmt::format("--{}: the range '{}' has no step: {}", axis, text, kGrammar));
  const int64_t first = ParseInteger(axis, text.substr(0, dash));
  const int64_t last = ParseInteger(axis, text.substr(dash + 1, step_at - dash - 1));
  const int64_t step = ParseInteger(axis, text.substr(step_at + 1));
  const bool multiply = text[step_at] == '*';
  if (first > last || first < 1 || step < (multiply ? 2 : 1))
    throw std::invalid_argument(
        fmt::format("--{}: the range '{}' has no values: {}", axis, text, kGrammar));
  for (int64_t value = first; value <= last;) {
    values.push_back(value);
    if (values.size() > kMostValues)
      throw std::invalid_argument(
          fmt::format("--{}: '{}' has more than {} values", axis, text, kMostValues));
    const bool overflow = multiply ? __builtin_mul_overflow(value, step, &value)
                                   : __builtin_add_overflow(value, step, &value);
    if (overflow) break;
  }
}

[[noreturn]] void UnknownValue(std::string_view axis, std::string_view text,
                               const std::vector<std::string>& words) {
  throw std::invalid_argument(fmt::format("--{}: {}", axis, UnknownWord("value", text, words)));
}

template <int64_t attest_problem::*kField>
void Number(std::string_view axis, const std::string& text, Cell& cell) {
  cell.problem.*kField = ParseInteger(axis, text);
  if (cell.problem.*kField < 1)
    throw std::invalid_argument(fmt::format("--{}: {} must be at least 1", axis, text));
}

void Causal(std::string_view axis, const std::string& text, Cell& cell) {
  attest_problem& p = cell.problem;
  p.is_causal = text != "full";
  if (text == "full" || text == "causal") return;
  const bool number = !text.empty() && (std::isdigit(static_cast<unsigned char>(text.back())) != 0);
  if (!number && text != "bottom_right")
    UnknownValue(axis, text, {"full", "causal", "bottom_right", "+16", "-3"});
  p.causal_offset =
      number ? ParseInteger(axis, text)
             : (p.kv_sequence_length == 0 ? 0 : p.kv_sequence_length - p.q_sequence_length);
}

void Window(std::string_view axis, const std::string& text, Cell& cell) {
  const std::vector<std::string> sides = Split(text, ':');
  if (sides.size() != 2)
    throw std::invalid_argument(
        fmt::format("--{}: '{}' is no window: use LEFT:RIGHT, -1 = off", axis, text));
  cell.problem.left_window_size = ParseInteger(axis, sides[0]);
  cell.problem.right_window_size = ParseInteger(axis, sides[1]);
}

void Softcap(std::string_view axis, const std::string& text, Cell& cell) {
  cell.problem.softcap = ParseReal(axis, text);
}

bool IsLayer(const Cell& cell) { return cell.problem.op == ATTEST_OP_SELF_ATTENTION; }

void RequireLayer(std::string_view axis, const Cell& cell) {
  if (!IsLayer(cell))
    throw std::invalid_argument(
        fmt::format("--{} is of the layer: use it with --op self_attention", axis));
}

void Scale(std::string_view axis, const std::string& text, Cell& cell) {
  if (text == "head") return;
  if (text == "hidden") {
    RequireLayer(axis, cell);
    CompleteSizes(cell.problem);
    cell.problem.scale = 1 / std::sqrt(static_cast<double>(cell.problem.hidden_size));
    return;
  }
  cell.problem.scale = text == "none" ? 1 : ParseReal(axis, text);
  if (cell.problem.scale == 0)
    throw std::invalid_argument(fmt::format("--{}: 0 is no scale", axis));
}

void Mask(std::string_view axis, const std::string& text, Cell& cell) {
  for (int32_t mask : {ATTEST_MASK_NONE, ATTEST_MASK_BOOLEAN, ATTEST_MASK_ADDITIVE})
    if (text == MaskName(mask)) {
      cell.problem.attn_mask = mask;
      return;
    }
  UnknownValue(axis, text, {"none", "boolean", "additive"});
}

void Dtype(std::string_view axis, const std::string& text, Cell& cell) {
  if (text != "f32" && text != "f16" && text != "bf16" && text != "f64")
    UnknownValue(axis, text, {"f32", "f16", "bf16", "f64"});
  cell.problem.dtype = DtypeFromName(text);
}

void Op(std::string_view axis, const std::string& text, Cell& cell) {
  std::vector<std::string> words;
  for (const int32_t op : {ATTEST_OP_SDPA, ATTEST_OP_SELF_ATTENTION}) {
    words.emplace_back(OpName(op));
    if (text != words.back()) continue;
    cell.problem.op = op;
    return;
  }
  UnknownValue(axis, text, words);
}

void Hidden(std::string_view axis, const std::string& text, Cell& cell) {
  RequireLayer(axis, cell);
  Number<&attest_problem::hidden_size>(axis, text, cell);
}

void Structure(std::string_view axis, const std::string& text, Cell& cell) {
  std::vector<std::string> words;
  for (int32_t n = ATTEST_STRUCTURE_FULL; n <= ATTEST_STRUCTURE_MEAN_POOL; ++n) {
    words.emplace_back(StructureName(n));
    if (text != words.back()) continue;
    if (n != ATTEST_STRUCTURE_FULL) RequireLayer(axis, cell);
    cell.problem.structure = n;
    return;
  }
  UnknownValue(axis, text, words);
}

template <int32_t attest_problem::*kFlag>
void LayerFlag(std::string_view axis, const std::string& text, Cell& cell) {
  if (text != "0" && text != "1") UnknownValue(axis, text, {"0", "1"});
  if (text == "1") RequireLayer(axis, cell);
  cell.problem.*kFlag = text == "1";
}

// The enumerator whose word the text is.
template <typename Enum>
Enum Named(std::string_view axis, const std::string& text, int count,
           std::string_view (*name_of)(Enum)) {
  std::vector<std::string> words;
  for (int n = 0; n < count; ++n) {
    words.emplace_back(name_of(static_cast<Enum>(n)));
    if (text == words.back()) return static_cast<Enum>(n);
  }
  UnknownValue(axis, text, words);
}

void LayoutAxis(std::string_view axis, const std::string& text, Cell& cell) {
  cell.layout = Named(axis, text, kLayoutCount, LayoutName);
  if (IsLayer(cell) && cell.layout != Layout::kBnsh && cell.layout != Layout::kBnshPadded)
    throw std::invalid_argument(fmt::format(
        "--{}: self_attention has no heads in memory to order: use bnsh or bnsh_padded", axis));
}

// Comes after mask: without one there is no shape of it.
void MaskShapeAxis(std::string_view axis, const std::string& text, Cell& cell) {
  const MaskShape shape = Named(axis, text, kMaskShapeCount, MaskShapeName);
  if (cell.problem.attn_mask != ATTEST_MASK_NONE) cell.mask_shape = shape;
}

template <uint32_t kBit>
void OutputAxis(std::string_view axis, const std::string& text, Cell& cell) {
  if (text != "0" && text != "1") UnknownValue(axis, text, {"0", "1"});
  if (text == "1") cell.problem.outputs |= kBit;
}

void KvLengths(std::string_view axis, const std::string& text, Cell& cell) {
  if (text != "0" && text != "1") UnknownValue(axis, text, {"0", "1"});
  cell.problem.has_kv_lengths = text == "1";
}

void Data(std::string_view axis, const std::string& text, Cell& cell) {
  const std::vector<std::string> kinds = DataKinds();
  if (std::find(kinds.begin(), kinds.end(), text) == kinds.end()) UnknownValue(axis, text, kinds);
  if (IsLayer(cell) && !IsLayerKind(text))
    throw std::invalid_argument(fmt::format(
        "--{}: {} is made by values of K or V, which self_attention computes itself", axis, text));
  cell.data = text;
}

std::string DataHelp() {
  std::string text = "values of the inputs:";
  for (const std::string& kind : DataKinds()) text += fmt::format(" {},", kind);
  text.back() = ';';
  return text + " default normal";
}

}  // namespace

void CompleteSizes(attest_problem& p) {
  const bool layer = p.op == ATTEST_OP_SELF_ATTENTION;
  if (layer && p.head_size == 0 && p.hidden_size != 0 && p.hidden_size % p.q_num_heads != 0)
    throw std::invalid_argument(fmt::format(
        "hidden_size is {}, which {} heads do not divide: give one such as {}, other --heads, or "
        "--head-size",
        p.hidden_size, p.q_num_heads,
        (p.hidden_size + p.q_num_heads - 1) / p.q_num_heads * p.q_num_heads));
  if (p.head_size == 0)
    p.head_size = layer && p.hidden_size != 0 ? p.hidden_size / p.q_num_heads : kHeadSize;
  if (layer && p.hidden_size == 0) p.hidden_size = p.q_num_heads * p.head_size;
  if (layer && p.kv_sequence_length != 0 && p.kv_sequence_length != p.q_sequence_length)
    p.is_cross = 1;
}

std::vector<int64_t> ParseNumbers(std::string_view axis, std::string_view text) {
  std::vector<int64_t> values;
  for (const std::string& piece : Split(text, ',')) {
    if (piece.find_first_of("-*+", 1) != std::string::npos)
      AppendRange(axis, piece, values);
    else
      values.push_back(ParseInteger(axis, piece));
  }
  if (values.empty())
    throw std::invalid_argument(fmt::format("--{} needs a value: {}", axis, kGrammar));
  return values;
}

const std::vector<Axis>& AxisTable() {
  using P = attest_problem;
  static const std::vector<Axis> axes = {
      {{"seq", "query sequence lengths; default 512"}, "512", true, Number<&P::q_sequence_length>},
      {{"kv-len", "key sequence lengths; default: those of the queries"},
       "",
       true,
       Number<&P::kv_sequence_length>,
       "seq"},
      {{"heads", "query heads; default 12"}, "12", true, Number<&P::q_num_heads>},
      {{"kv-heads", "key and value heads, a divisor of the query heads; default: as many"},
       "",
       true,
       Number<&P::kv_num_heads>,
       "heads"},
      {{"head-size", "size of a head of Q and K; default 64, or hidden / heads"},
       "",
       true,
       Number<&P::head_size>,
       "hidden"},
      {{"v-head-size", "size of a head of V; default: that of Q and K"},
       "",
       true,
       Number<&P::v_head_size>,
       "head-size"},
      {{"batch", "batch entries; default 1"}, "1", true, Number<&P::batch_size>},
      {{"op",
        "sdpa, or self_attention: the layer with its linear maps; kv-len other than seq, or cross "
        "1, is cross-attention; default sdpa"},
       "sdpa",
       false,
       Op},
      {{"hidden", "self_attention: width of X; default heads x head-size"}, "", true, Hidden},
      {{"structure",
        "self_attention: full, tied_qk (one map for Q and K), parameter_free (Q = K = V = X) or "
        "mean_pool (equal weights); default full"},
       "full",
       false,
       Structure},
      {{"bias", "self_attention: 1: the maps have biases; default 0"},
       "0",
       false,
       LayerFlag<&P::has_bias>},
      {{"out-proj", "self_attention: 1: with an output projection; default 0"},
       "0",
       false,
       LayerFlag<&P::has_output_projection>},
      {{"cross", "self_attention: 1: K and V come from another sequence; default 0"},
       "0",
       false,
       LayerFlag<&P::is_cross>},
      {{"causal",
        "full, causal (key <= query), bottom_right, or an offset such as +16 or -3; default full"},
       "full",
       false,
       Causal},
      {{"window", "LEFT:RIGHT keys around the diagonal, -1 = off; default -1:-1"},
       "-1:-1",
       false,
       Window},
      {{"softcap", "scores become S tanh(score / S); default 0 = off"}, "0", false, Softcap},
      {{"scale",
        "head (1/sqrt(head size)), hidden (1/sqrt(hidden), of self_attention), none (1) or a "
        "number; default head"},
       "head",
       false,
       Scale},
      {{"mask", "none, boolean or additive; default none"}, "none", false, Mask},
      {{"mask-shape",
        "what the mask differs by: shared ([Lq, Lk] for all), head, batch, full (head and batch), "
        "keys ([B, Lk], the same for every row); default shared"},
       "shared",
       false,
       MaskShapeAxis},
      {{"kv-lengths", "1: valid keys differ by batch entry; default 0"}, "0", false, KvLengths},
      {{"dtype", "f32, f16, bf16 or f64; default f32"}, "f32", false, Dtype},
      {{"layout",
        "bnsh ([B, H, L, d] in memory) or bsnh ([B, L, H, d]), or bnsh_padded or bsnh_padded with "
        "gaps behind rows; default bnsh"},
       "bnsh",
       false,
       LayoutAxis},
      {{"lse", "1: ask for the log of the sum of exponentials too; default 0"},
       "0",
       false,
       OutputAxis<ATTEST_OUTPUT_LSE>},
      {{"weights", "1: ask for the attention weights too; default 0"},
       "0",
       false,
       OutputAxis<ATTEST_OUTPUT_WEIGHTS>},
      {{"data", DataHelp()}, "normal", false, Data},
  };
  return axes;
}

}  // namespace attest
