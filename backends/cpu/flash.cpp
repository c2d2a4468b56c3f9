// SPDX-License-Identifier: Apache-2.0
//
// cpu:flash. A task is a block of up to 512 query rows of one head. It walks panels of 64 keys: a
// panel of K is packed once and used by all tiles of 6 rows (16 on AMX), so that panel and V stay
// in L1. Memory O(threads x block), no matrix of scores. Panels that no row of a tile sees are
// skipped. Source of the recurrence: Dao, FlashAttention-2 (arXiv 2307.08691).
#include <algorithm>
#include <cstring>
#include <string>
#include <type_traits>
#include <vector>

#include "attest/sdpa.hpp"
#include "bfloat_products.h"
#include "flash_operands.h"
#include "plans.h"
#include "shape.h"
#include "tile.h"

namespace attest::cpu {
namespace {

// Most query rows of a task: more rows use a packed panel longer. On a Xeon with two threads 512
// took 0.5 to 3 % less time than 384; with 4 tasks a thread, causal, it took 4 % more.
constexpr int64_t kBlockRows = 512;

// K and V of one head up to which they are not asked for ahead: on a Xeon, f32, d = 64, that took 1
// to 2 % more time at 128 to 256 keys than leaving it to the CPU; d = 128, 197 and 256 keys, as
// much less.
constexpr int64_t kPrefetchBytes = 128 << 10;

int64_t KeyAndValueBytes(const attest_problem& problem, int64_t element_bytes) {
  return problem.kv_sequence_length * (problem.head_size + problem.v_head_size) * element_bytes;
}

// Rows of K or V of one head, for asking for them ahead.
struct Ahead {
  const char* data;
  int64_t stride, bytes;  // of a row
};

struct Span {
  int begin, end;            // keys that some row of a tile sees
  int full_begin, full_end;  // keys that every row sees
};

// Query rows of a task, in blocks of nearly equal size: half as many where a thread has less than 6
// tasks, so that all end together, still less where it has less than 2.
template <typename Operands>
int64_t BlockRows(const attest_problem& problem, unsigned threads) {
  const int64_t length = problem.q_sequence_length;
  const int64_t heads = problem.batch_size * problem.q_num_heads;
  const auto blocks_for = [&](int64_t tasks_per_thread, int64_t least_rows) {
    return std::min(CeilDivide(tasks_per_thread * threads, heads), CeilDivide(length, least_rows));
  };
  const int64_t blocks = std::max({CeilDivide(length, kBlockRows), blocks_for(6, kBlockRows / 2),
                                   blocks_for(2, Operands::kLeastRows)});
  return RoundUp(CeilDivide(length, blocks), Operands::kTileRows);
}

// One thread's scratch.
template <typename Operands>
struct Scratch {
  Scratch(const attest_problem& problem, Tensors tensors, int64_t rows, Layout& layout)
      : operands(problem, tensors, rows, layout),
        sums(layout.Take<float>(rows * kLanes)),
        shifts(layout.Take<float>(rows)),
        spans(layout.Take<Span>(rows / Operands::kTileRows)),
        states(layout.Take<uint8_t>(rows / Operands::kStateRows)) {
    const attest_tensor& tensor = GetTensor(tensors, ATTEST_ROLE_OUT);
    out = InPlace(problem, tensor, false)
              ? nullptr
              : layout.Take<float>(rows * PaddedColumns(tensor.shape[3]));
  }

  Operands operands;
  float *sums, *shifts;
  Span* spans;
  uint8_t* states;
  float* out;  // or nullptr: the tensor can be used in place
};

template <typename Operands>
uint64_t ScratchBytes(const attest_problem& problem, Tensors tensors, int64_t rows) {
  Layout layout(nullptr);
  Scratch<Operands>(problem, tensors, rows, layout);
  return layout.bytes();
}

template <typename Operands>
class FlashPlan : public Plan {
 public:
  FlashPlan(const Request& request, ThreadPool& pool)
      : problem_(request.problem),
        element_bytes_(ElementBytes(problem_.dtype)),
        rows_(BlockRows<Operands>(problem_, pool.threads())),
        blocks_(CeilDivide(problem_.q_sequence_length, rows_)),
        factors_(problem_),
        prefetches_(KeyAndValueBytes(problem_, element_bytes_) > kPrefetchBytes),
        pool_(pool) {
    const uint64_t bytes = ScratchBytes<Operands>(problem_, request.tensors, rows_);
    for (unsigned thread = 0; thread < pool.threads(); ++thread) {
      memory_.emplace_back(bytes);
      Layout layout(memory_.back().data());
      scratch_.emplace_back(problem_, request.tensors, rows_, layout);
    }
    bytes_ = FlashBytes(request, pool.threads());
  }

  void Bind(Tensors tensors) override {
    operands_ = BindSdpa(problem_, tensors);
    rules_ = RulesOf(problem_, operands_);
  }

  // Heads lie innermost and blocks of late queries come first: under a causal mask those are long.
  void Run() override {
    const int64_t heads = problem_.batch_size * problem_.q_num_heads;
    pool_.Run(heads * blocks_, [&](int64_t task, unsigned thread) {
      const int64_t head = problem_.is_causal ? task % heads : task / blocks_;
      const int64_t block = problem_.is_causal ? blocks_ - 1 - task / heads : task % blocks_;
      Compute(head / problem_.q_num_heads, head % problem_.q_num_heads, block * rows_,
              scratch_[thread]);
    });
  }

  PlanInfo Info() override {
    return {"flash " + std::to_string(rows_) + "x" + std::to_string(kPanelKeys) + " (" +
                hwy::TargetName(HWY_TARGET) + Operands::kName + ")",
            bytes_, 0};
  }

 private:
  using KernelTile = typename Operands::Kernel;
  static constexpr int kTileRows = Operands::kTileRows;

  // Fills the spans of all tiles. Both ends of a row's keys never fall from row to row, so a tile's
  // first and last row decide.
  Span MakeSpans(int64_t kv_length, int64_t first, int64_t count,
                 Scratch<Operands>& scratch) const {
    Span all{static_cast<int>(problem_.kv_sequence_length), 0, 0, 0};
    for (int64_t row = 0; row < count; row += kTileRows) {
      const int64_t last = std::min(row + kTileRows, count) - 1;
      const KeySpan low = VisibleKeys(problem_, kv_length, first + row);
      const KeySpan high = VisibleKeys(problem_, kv_length, first + last);
      Span& span = scratch.spans[row / kTileRows];
      span = {static_cast<int>(low.begin), static_cast<int>(high.end), static_cast<int>(high.begin),
              static_cast<int>(low.end)};
      if (span.begin >= span.end) continue;
      all.begin = std::min(all.begin, span.begin);
      all.end = std::max(all.end, span.end);
    }
    all.begin = all.begin / kPanelKeys * kPanelKeys;
    return all;
  }

  void Compute(int64_t b, int64_t h, int64_t first, Scratch<Operands>& scratch) const {
    const int64_t count = std::min(rows_, problem_.q_sequence_length - first);
    const int64_t kv_length = KvLength(problem_, &operands_.lengths, b);
    const int64_t kv_head = h / (problem_.q_num_heads / problem_.kv_num_heads);
    scratch.operands.LoadQueries(operands_.q, {b, h, first, count});
    KernelTile tile = Start(b, h, first, count, scratch);
    float* const out = tile.out;
    const Span all = MakeSpans(kv_length, first, count, scratch);
    const int ahead = static_cast<int>((kPanelKeys * kTileRows + count - 1) / count);
    const Ahead keys = AheadOf(operands_.k, b, kv_head), values = AheadOf(operands_.v, b, kv_head);
    for (int key = all.begin; key < all.end; key += kPanelKeys) {
      scratch.operands.LoadPanel(operands_.k, operands_.v,
                                 {b, kv_head, key, std::min(kPanelKeys, all.end - key)}, factors_,
                                 tile);
      const int next_end = std::min(key + 2 * kPanelKeys, all.end);
      for (int64_t row = 0, next = key + kPanelKeys; row < count; row += kTileRows, next += ahead) {
        const Span& span = scratch.spans[row / kTileRows];
        if (prefetches_ && next < next_end) {
          const int64_t end = std::min<int64_t>(next + ahead, next_end);
          Prefetch(keys, next, end);
          Prefetch(values, next, end);
        }
        if (key >= span.end || key + kPanelKeys <= span.begin) continue;
        scratch.operands.SetQueries(row, tile);
        tile.out = out + row * tile.out_stride;
        tile.sums = scratch.sums + row * kLanes;
        tile.shifts = scratch.shifts + row;
        tile.state = scratch.states + row / Operands::kStateRows;
        tile.rows = static_cast<int>(std::min<int64_t>(kTileRows, count - row));
        SetPanel({b, h, first + row}, key, span, tile);
        scratch.operands.Compute(tile);
      }
    }
    scratch.operands.Finish();
    Finish(b, h, first, count, {out, tile.out_stride}, scratch);
  }

  // What all tiles of a task share.
  KernelTile Start(int64_t b, int64_t h, int64_t first, int64_t count,
                   Scratch<Operands>& scratch) const {
    KernelTile tile{};
    tile.depth = static_cast<int>(problem_.head_size);
    tile.value_size = static_cast<int>(problem_.v_head_size);
    const attest_tensor& out = operands_.out;
    tile.out = scratch.out != nullptr ? scratch.out : RowOf<float>(out, b, h, first);
    tile.out_stride = scratch.out != nullptr ? PaddedColumns(tile.value_size) : out.strides[2];
    tile.rules = HasRules(problem_) ? &rules_ : nullptr;
    const int64_t rows = RoundUp(count, kTileRows);
    std::fill_n(scratch.sums, rows * kLanes, 0.0f);
    std::fill_n(scratch.shifts, rows, 0.0f);
    std::fill_n(scratch.states, rows / Operands::kStateRows, uint8_t{kUnsettled});
    return tile;
  }

  // The part of panel `key` that belongs to a tile, and which of its keys the rows see.
  void SetPanel(const Query& query, int key, const Span& span, Tile& tile) const {
    tile.first = key <= span.begin;
    tile.last = key + kPanelKeys >= span.end;
    tile.key_count = std::min(kPanelKeys, span.end - key);
    tile.masked = span.full_begin > key || span.full_end < key + kPanelKeys;
    if (tile.masked || tile.rules != nullptr) SetTileKeys(problem_, operands_, query, key, tile);
  }

  Ahead AheadOf(const attest_tensor& tensor, int64_t b, int64_t kv_head) const {
    return {AddressOf(tensor, element_bytes_, b, kv_head, 0), tensor.strides[2] * element_bytes_,
            tensor.shape[3] * element_bytes_};
  }

  // Asks for rows [key, end) of the next panel: a tile's share, so that loads spread over the time.
  static void Prefetch(const Ahead& rows, int64_t key, int64_t end) {
    constexpr int64_t kLine = 64;
    asm volatile("");  // GCC leaves out calls of functions that do nothing but prefetch
    const char* row = rows.data + key * rows.stride;
    for (; key < end; ++key, row += rows.stride)
      for (int64_t at = 0; at < rows.bytes; at += kLine) __builtin_prefetch(row + at, 0, 2);
  }

  // Rows that saw no panel, LSE, and rows that were computed in scratch.
  void Finish(int64_t b, int64_t h, int64_t first, int64_t count, Rows out,
              const Scratch<Operands>& scratch) const {
    const int64_t columns = problem_.v_head_size;
    for (int64_t row = 0; row < count; row += kTileRows) {
      const Span& span = scratch.spans[row / kTileRows];
      if (span.begin < span.end) continue;
      for (int64_t i = row; i < std::min(row + kTileRows, count); ++i)
        std::fill_n(const_cast<float*>(out.data) + i * out.stride, columns, 0.0f);
    }
    if (problem_.outputs & ATTEST_OUTPUT_LSE)
      for (int64_t row = 0; row < count; ++row)
        *RowOf<float>(operands_.lse, b, h, first + row) =
            LogSumExp(Sum(hn::Load(kTag, scratch.sums + row * kLanes)), scratch.shifts[row]);
    if (scratch.out == nullptr) return;
    StoreRows(out.data, out.stride, count, columns,
              AddressOf(operands_.out, element_bytes_, b, h, first), problem_.dtype,
              operands_.out.strides[2], operands_.out.strides[3]);
  }

  const attest_problem problem_;
  const int64_t element_bytes_;
  const int64_t rows_;  // of a block
  const int64_t blocks_;
  const Factors factors_;
  const bool prefetches_;
  ThreadPool& pool_;
  std::vector<Memory> memory_;
  std::vector<Scratch<Operands>> scratch_;
  uint64_t bytes_ = 0;
  SdpaTensors operands_{};
  ScoreRules rules_;
};

// Calls use(the operands' type) for an io type.
template <typename Use>
auto WithOperands(int32_t dtype, const Use& use) {
  switch (ProductsOf(dtype)) {
    case BfloatProducts::kTiles:
      return use(std::type_identity<AmxOperands>{});
    case BfloatProducts::kDots:
      return use(std::type_identity<DotOperands>{});
    default:
      return use(std::type_identity<FloatOperands>{});
  }
}

}  // namespace

uint64_t FlashBytes(const Request& request, unsigned threads) {
  const attest_problem& problem = request.problem;
  return WithOperands(problem.dtype, [&](auto operands) {
    using Operands = typename decltype(operands)::type;
    const int64_t rows = BlockRows<Operands>(problem, threads);
    return threads * ScratchBytes<Operands>(problem, request.tensors, rows) +
           sizeof(float) * static_cast<uint64_t>(problem.head_size);
  });
}

std::unique_ptr<Plan> MakeFlashPlan(const Request& request, ThreadPool& pool) {
  return WithOperands(request.problem.dtype, [&](auto operands) -> std::unique_ptr<Plan> {
    return std::make_unique<FlashPlan<typename decltype(operands)::type>>(request, pool);
  });
}

}  // namespace attest::cpu
