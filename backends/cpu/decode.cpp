// SPDX-License-Identifier: Apache-2.0
//
// cpu:decode, for few queries and many keys. The query rows of all heads of one kv head are
// stacked, so that K and V are read once for the group; the keys are split over tasks, each of
// which leaves sums, a shift and an output that is not yet divided; those are merged. Any shape is
// computed right, long queries slowly: every 32 stacked rows read K and V again. Source of the
// split: Dao et al., Flash-Decoding (2023).
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "attest/sdpa.hpp"
#include "decode_tile.h"
#include "pack.h"
#include "plans.h"
#include "shape.h"
#include "softmax_rows.h"

namespace attest::cpu {
namespace {

constexpr int64_t kChunkRows = 32;   // stacked rows of a task: their output stays in L1
constexpr int64_t kLeastKeys = 256;  // of a task
constexpr int64_t kTasksPerThread = 4;
// How the work is cut. A stacked row is a query of one of the heads of a kv head.
struct Cut {
  Cut(const attest_problem& problem, unsigned threads)
      : group(problem.q_num_heads / problem.kv_num_heads),
        stacked(group * problem.q_sequence_length),
        rows(std::min(stacked, kChunkRows)),
        chunks(CeilDivide(stacked, rows)) {
    const int64_t units = problem.batch_size * problem.kv_num_heads * chunks;
    const int64_t wanted = CeilDivide(kTasksPerThread * threads, units);
    const int64_t most = std::max<int64_t>(1, problem.kv_sequence_length / kLeastKeys);
    const int64_t parts = std::min(wanted, most);
    keys = RoundUp(CeilDivide(problem.kv_sequence_length, parts), kPanelKeys);
    splits = CeilDivide(problem.kv_sequence_length, keys);
    tasks = units * splits;
  }
  int64_t group, stacked, rows, chunks;
  int64_t keys = 0;  // of a split
  int64_t splits = 0;
  int64_t tasks = 0;
};

// What a task leaves of its rows.
struct Partial {
  Partial(const attest_problem& problem, int64_t rows, Layout& layout)
      : out(layout.Take<float>(rows * PaddedColumns(problem.v_head_size))),
        sums(layout.Take<float>(rows * kLanes)),
        shifts(layout.Take<float>(rows)) {}
  float *out, *sums, *shifts;
};

// Whether a row's elements lie side by side and it ends with no part of a vector that this
// instruction set cannot leave out.
bool InPlace(const attest_tensor& tensor) {
  return tensor.strides[3] == 1 && (kMaskedMemory || tensor.shape[3] % kLanes == 0);
}

// One thread's scratch: queries as f32, P of a tile, and the keys and values that cannot be read in
// place.
struct Scratch {
  Scratch(const attest_problem& problem, Tensors tensors, int64_t rows, Layout& layout)
      : q(layout.Take<float>(rows * PaddedColumns(problem.head_size))),
        p(layout.Take<float>(kRows * kPanelKeys)),
        states(layout.Take<uint8_t>(rows)) {
    const auto copy = [&](int32_t role) {
      const attest_tensor& tensor = GetTensor(tensors, role);
      return InPlace(tensor) ? nullptr
                             : layout.Take<float>(kPanelKeys * PaddedColumns(tensor.shape[3]));
    };
    keys = copy(ATTEST_ROLE_K);
    values = copy(ATTEST_ROLE_V);
  }
  float *q, *p;
  uint8_t* states;
  float *keys, *values;
};

template <typename Part, typename... Arguments>
uint64_t BytesOf(const Arguments&... arguments) {
  Layout layout(nullptr);
  Part(arguments..., layout);
  return layout.bytes();
}

class DecodePlan : public Plan {
 public:
  DecodePlan(const Request& request, ThreadPool& pool)
      : problem_(request.problem),
        element_bytes_(ElementBytes(problem_.dtype)),
        cut_(problem_, pool.threads()),
        factors_(ScoreFactors(problem_)),
        pool_(pool),
        bytes_(DecodeBytes(request, pool.threads())) {
    const uint64_t partial_bytes = BytesOf<Partial>(problem_, cut_.rows);
    const uint64_t scratch_bytes = BytesOf<Scratch>(problem_, request.tensors, cut_.rows);
    for (int64_t task = 0; task < cut_.tasks; ++task) {
      if (cut_.splits == 1 && task == pool.threads()) break;  // then a partial is its thread's
      memory_.emplace_back(partial_bytes);
      Layout layout(memory_.back().data());
      partials_.emplace_back(problem_, cut_.rows, layout);
    }
    for (unsigned thread = 0; thread < pool.threads(); ++thread) {
      memory_.emplace_back(scratch_bytes);
      Layout layout(memory_.back().data());
      scratch_.emplace_back(problem_, request.tensors, cut_.rows, layout);
    }
  }

  static uint64_t DecodeBytes(const Request& request, unsigned threads) {
    const Cut cut(request.problem, threads);
    const int64_t partials = cut.splits == 1 ? std::min<int64_t>(threads, cut.tasks) : cut.tasks;
    return static_cast<uint64_t>(partials) * BytesOf<Partial>(request.problem, cut.rows) +
           threads * BytesOf<Scratch>(request.problem, request.tensors, cut.rows) +
           sizeof(float) * static_cast<uint64_t>(request.problem.head_size);
  }

  void Bind(Tensors tensors) override {
    operands_ = BindSdpa(problem_, tensors);
    rules_ = RulesOf(problem_, operands_);
  }

  void Run() override {
    pool_.Run(cut_.tasks, [&](int64_t task, unsigned thread) {
      Partial& partial = cut_.splits == 1 ? partials_[thread] : partials_[task];
      Compute(task, partial, scratch_[thread]);
      if (cut_.splits == 1) Merge(task, &partial);
    });
    if (cut_.splits == 1) return;
    pool_.Run(cut_.tasks / cut_.splits,
              [&](int64_t unit, unsigned) { Merge(unit, &partials_[unit * cut_.splits]); });
  }

  PlanInfo Info() override {
    return {"decode " + std::to_string(cut_.splits) + " x " + std::to_string(cut_.keys) +
                " keys (" + hwy::TargetName(HWY_TARGET) + ")",
            bytes_, 0};
  }

 private:
  // The stacked rows of one kv head that a unit has: those from `first` on.
  struct Unit {
    int64_t b, kv_head, first, count;
  };
  Unit UnitOf(int64_t unit) const {
    const int64_t head = unit / cut_.chunks, first = unit % cut_.chunks * cut_.rows;
    return {head / problem_.kv_num_heads, head % problem_.kv_num_heads, first,
            std::min(cut_.rows, cut_.stacked - first)};
  }
  // The keys that rows of a unit see.
  struct Seen {
    KeySpan by_any, by_all;
  };
  Query QueryOf(const Unit& unit, int64_t row) const {
    const int64_t stacked = unit.first + row;
    return {unit.b, unit.kv_head * cut_.group + stacked / problem_.q_sequence_length,
            stacked % problem_.q_sequence_length};
  }

  void Compute(int64_t task, Partial& partial, Scratch& scratch) const {
    const Unit unit = UnitOf(task / cut_.splits);
    const Seen seen = Start(unit, partial, scratch);
    const int64_t part = task % cut_.splits * cut_.keys;
    const int64_t begin = std::max(part, seen.by_any.begin / kPanelKeys * kPanelKeys);
    const int64_t end = std::min(part + cut_.keys, seen.by_any.end);
    const KeySpan streamed = StreamedOf(seen, begin, end, scratch);
    Panels(unit, {begin, streamed.begin}, partial, scratch);
    Stream(unit, streamed, partial, scratch);
    Panels(unit, {streamed.end, end}, partial, scratch);
  }

  // What can be read in streams of [begin, end): whole panels of keys that all rows see, masks
  // aside, where they lie.
  KeySpan StreamedOf(const Seen& seen, int64_t begin, int64_t end, const Scratch& scratch) const {
    const int64_t first = std::max(begin, seen.by_all.begin);
    const int64_t keys = std::min(end, seen.by_all.end) - first;
    const bool in_place = scratch.keys == nullptr && scratch.values == nullptr;
    if (keys < kPanelKeys || !in_place) return {begin, begin};
    return {first, first + keys / kPanelKeys * kPanelKeys};
  }

  // Loads the queries, empties the sums, and finds the keys that the rows see.
  Seen Start(const Unit& unit, Partial& partial, Scratch& scratch) const {
    const int64_t padded = PaddedColumns(problem_.head_size);
    const int64_t kv_length = KvLength(problem_, &operands_.lengths, unit.b);
    KeySpan any{problem_.kv_sequence_length, 0}, all{0, kv_length};
    for (int64_t row = 0; row < unit.count; ++row) {
      const Query query = QueryOf(unit, row);
      float* q = scratch.q + row * padded;
      LoadRows(AddressOf(operands_.q, element_bytes_, query.b, query.h, query.i), problem_.dtype, 0,
               operands_.q.strides[3], 1, problem_.head_size, q);
      for (int64_t c = 0; c < problem_.head_size; ++c) q[c] *= factors_[c];
      const KeySpan keys = VisibleKeys(problem_, kv_length, query.i);
      all = {std::max(all.begin, keys.begin), std::min(all.end, keys.end)};
      if (keys.begin >= keys.end) continue;
      any = {std::min(any.begin, keys.begin), std::max(any.end, keys.end)};
    }
    std::fill_n(partial.out, unit.count * PaddedColumns(problem_.v_head_size), 0.0f);
    std::fill_n(partial.sums, unit.count * kLanes, 0.0f);
    std::fill_n(partial.shifts, unit.count, 0.0f);
    std::fill_n(scratch.states, unit.count, kUnsettled);
    return {any, all};
  }

  // All rows against keys one panel behind the other.
  void Panels(const Unit& unit, KeySpan span, Partial& partial, Scratch& scratch) const {
    for (int64_t key = span.begin; key < span.end; key += kPanelKeys) {
      const int count = static_cast<int>(std::min<int64_t>(kPanelKeys, span.end - key));
      const IoRows keys = RowsOf(operands_.k, unit, key, count, scratch.keys);
      const IoRows values = RowsOf(operands_.v, unit, key, count, scratch.values);
      Panel(unit, keys, values, count, key, 0, partial, scratch);
    }
  }

  // All rows against whole panels, each a part of as many streams, which divide the span.
  void Stream(const Unit& unit, KeySpan span, Partial& partial, Scratch& scratch) const {
    const int64_t length = (span.end - span.begin) / kReadStreams;
    for (int64_t i = 0; i < length; i += kPanelKeys / kReadStreams)
      Panel(unit, StreamsOf(operands_.k, unit, span.begin + i, length),
            StreamsOf(operands_.v, unit, span.begin + i, length), kPanelKeys, span.begin + i,
            length, partial, scratch);
  }

  // All rows against `count` keys: those from `key` on, or streams of `stream_keys` keys, which all
  // rows see.
  void Panel(const Unit& unit, const IoRows& keys, const IoRows& values, int count, int64_t key,
             int64_t stream_keys, Partial& partial, Scratch& scratch) const {
    RowKeys<kDecodeRows> ranges{};
    Tile tile{};
    ranges.SetFor(tile);
    std::fill_n(ranges.end, kDecodeRows, count);
    tile.depth = static_cast<int>(problem_.head_size);
    tile.value_size = static_cast<int>(problem_.v_head_size);
    tile.q_stride = PaddedColumns(tile.depth);
    tile.out_stride = PaddedColumns(tile.value_size);
    tile.key_count = count;
    tile.p = scratch.p;
    tile.rules = &rules_;
    tile.stream_keys = stream_keys;
    for (int64_t row = 0; row < unit.count; row += kDecodeRows) {
      tile.rows = static_cast<int>(std::min<int64_t>(kDecodeRows, unit.count - row));
      tile.q = scratch.q + row * tile.q_stride;
      tile.out = partial.out + row * tile.out_stride;
      tile.sums = partial.sums + row * kLanes;
      tile.shifts = partial.shifts + row;
      tile.state = scratch.states + row;
      SetRules(unit, row, key, tile);
      DecodeScores(tile, keys, row == 0 && scratch.keys == nullptr);
      SoftmaxRows(tile, (count + kLanes - 1) / kLanes * kLanes);
      DecodeOutput(tile, values, row == 0 && scratch.values == nullptr);
    }
  }

  // Ranges and masks of a tile's rows.
  void SetRules(const Unit& unit, int64_t row, int64_t key, Tile& tile) const {
    const bool all_seen = tile.stream_keys > 0;
    if (all_seen && problem_.attn_mask == ATTEST_MASK_NONE) return;
    for (int i = 0; i < tile.rows; ++i) {
      SetKeys(problem_, operands_, QueryOf(unit, row + i), i, static_cast<int>(key), tile);
      if (all_seen) tile.begin[i] = 0;
      // Behind the last key is another panel.
      tile.end[i] = all_seen ? tile.key_count : std::min(tile.end[i], tile.key_count);
    }
  }

  IoRows RowsOf(const attest_tensor& tensor, const Unit& unit, int64_t key, int count,
                float* copy) const {
    const char* row = AddressOf(tensor, element_bytes_, unit.b, unit.kv_head, key);
    if (copy == nullptr)
      return {row, tensor.dtype, kReadStreams * tensor.strides[2], tensor.strides[2]};
    LoadRows(row, tensor.dtype, tensor.strides[2], tensor.strides[3], count, tensor.shape[3], copy);
    const int64_t stride = PaddedColumns(tensor.shape[3]);
    return {copy, ATTEST_F32, kReadStreams * stride, stride};
  }

  // Streams of `length` rows, from that key of the first one on.
  IoRows StreamsOf(const attest_tensor& tensor, const Unit& unit, int64_t key,
                   int64_t length) const {
    return {AddressOf(tensor, element_bytes_, unit.b, unit.kv_head, key), tensor.dtype,
            tensor.strides[2], length * tensor.strides[2]};
  }

  // Adds up the splits of a unit and writes its rows.
  void Merge(int64_t unit_index, Partial* partials) const {
    const Unit unit = UnitOf(unit_index);
    for (int64_t row = 0; row < unit.count; ++row) MergeRow(QueryOf(unit, row), row, partials);
  }

  void MergeRow(const Query& query, int64_t row, Partial* partials) const {
    const int64_t padded = PaddedColumns(problem_.v_head_size);
    const auto sum_of = [&](int64_t split) {
      return Sum(hn::Load(kTag, partials[split].sums + row * kLanes));
    };
    float shift = -kMinusInfinity;  // the least: of the largest maximum
    for (int64_t split = 0; split < cut_.splits; ++split)
      if (sum_of(split) != 0) shift = std::min(shift, partials[split].shifts[row]);
    float sum = 0;
    float* out = partials[0].out + row * padded;
    for (int64_t split = 0; split < cut_.splits; ++split) {
      const float part = sum_of(split);
      const float weight = part == 0 ? 0 : std::exp2(shift - partials[split].shifts[row]);
      sum += weight * part;
      const float* from = partials[split].out + row * padded;
      for (int64_t c = 0; c < padded; ++c)
        out[c] = split == 0 ? weight * from[c] : out[c] + weight * from[c];
    }
    const float factor = sum == 0 ? 0 : 1 / sum;
    for (int64_t c = 0; c < padded; ++c) out[c] *= factor;
    StoreRows(out, padded, 1, problem_.v_head_size,
              AddressOf(operands_.out, element_bytes_, query.b, query.h, query.i), problem_.dtype,
              0, operands_.out.strides[3]);
    if (problem_.outputs & ATTEST_OUTPUT_LSE)
      *RowOf<float>(operands_.lse, query.b, query.h, query.i) = LogSumExp(sum, shift);
  }

  const attest_problem problem_;
  const int64_t element_bytes_;
  const Cut cut_;
  const std::vector<float> factors_;
  ThreadPool& pool_;
  const uint64_t bytes_;
  std::vector<Memory> memory_;
  std::vector<Partial> partials_;
  std::vector<Scratch> scratch_;
  SdpaTensors operands_{};
  ScoreRules rules_;
};

}  // namespace

uint64_t DecodeBytes(const Request& request, unsigned threads) {
  return DecodePlan::DecodeBytes(request, threads);
}

std::unique_ptr<Plan> MakeDecodePlan(const Request& request, ThreadPool& pool) {
  return std::make_unique<DecodePlan>(request, pool);
}

}  // namespace attest::cpu
