// SPDX-License-Identifier: Apache-2.0
//
// The linear maps of a layer on a host CPU but for the matrix product, which a library brings: y =
// x W^T + b is cut into tiles, rows of x against rows of W, that the threads of a pool take from a
// queue. Tiles are multiplied where they lie if the library takes the io type and their rows are
// contiguous, else through scratch of the library's type, a tile at a time.
#ifndef ATTEST_LINEAR_HPP_
#define ATTEST_LINEAR_HPP_

#include <algorithm>
#include <atomic>
#include <compare>
#include <cstdint>
#include <limits>
#include <set>
#include <span>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <vector>

#include "attest/aligned_buffer.hpp"
#include "attest/convert_row.hpp"
#include "attest/layer.hpp"
#include "attest/thread_pool.hpp"

namespace attest::linear {

// Rows of x, and rows of W (columns of y), of a tile; columns in multiples of column_unit.
struct TileSizes {
  int64_t rows;
  int64_t columns;
  int64_t column_unit;
};

// Entries of the batch are one matrix where their rows follow one another at one stride.
struct Shape {
  explicit Shape(const LinearMap& map) : in(map.weight.shape[1]), out(map.weight.shape[0]) {
    const auto follows = [](const attest_tensor& t) {
      return t.shape[0] == 1 || t.strides[0] == t.shape[1] * t.strides[1];
    };
    const bool is_one = follows(map.x) && follows(map.y);
    matrices = is_one ? 1 : map.x.shape[0];
    rows = map.x.shape[1] * (is_one ? map.x.shape[0] : 1);
  }
  int64_t matrices, rows, in, out;
};

struct Tile {
  int64_t matrix, row, rows, column, columns;
};

// The grid with two tiles a thread, if tiles of 32 rows and one unit of columns can give that many,
// that copies the least of x and W where every tile copies its own.
class Tiles {
 public:
  Tiles(const Shape& shape, unsigned threads, TileSizes most) : shape_(shape) {
    const int64_t units = Ceil(shape.out, most.column_unit);
    const int64_t wanted = Ceil(2 * threads, shape.matrices);
    const int64_t fewest_down = Ceil(shape.rows, most.rows);
    const int64_t fewest_across = Ceil(shape.out, most.columns);
    std::pair<int64_t, int64_t> best{std::numeric_limits<int64_t>::max(), 0};  // missing, copied
    for (int64_t down = fewest_down; down <= std::max(fewest_down, shape.rows / 32); ++down) {
      const int64_t across = std::max(fewest_across, std::min(Ceil(wanted, down), units));
      const std::pair cost{std::max<int64_t>(0, wanted - down * across),
                           down * shape.out + across * shape.rows};
      if (cost >= best) continue;
      best = cost;
      rows_ = Ceil(shape.rows, down);
      columns_ = Ceil(units, across) * most.column_unit;
    }
  }

  int64_t count() const { return shape_.matrices * tiles(); }
  Tile operator[](int64_t index) const {
    const int64_t across = Ceil(shape_.out, columns_);
    const int64_t row = index / across % Ceil(shape_.rows, rows_) * rows_;
    const int64_t column = index % across * columns_;
    return {index / tiles(), row, std::min(rows_, shape_.rows - row), column,
            std::min(columns_, shape_.out - column)};
  }

 private:
  static int64_t Ceil(int64_t count, int64_t size) { return (count + size - 1) / size; }
  int64_t tiles() const { return Ceil(shape_.rows, rows_) * Ceil(shape_.out, columns_); }

  Shape shape_;
  int64_t rows_ = 1, columns_ = 1;
};

// What a product has to know of a tile: y[rows, columns] = x[rows, in] w[columns, in]^T + bias.
struct Step {
  int64_t rows, columns, in;
  int64_t x_stride, w_stride, y_stride;  // elements from one row to the next
  bool has_bias;
  friend auto operator<=>(const Step&, const Step&) = default;
};

// Product is what the library does, one object per thread:
//   using Operand                        the type of its matrices, the io type or f32
//   static constexpr TileSizes kTile     the largest tile
//   void Multiply(const Step&, const Operand* x, const Operand* w, const Operand* bias, Operand* y)
//                                        bias is null where there is none
template <typename Io, typename ProductType>
class Linear {
 public:
  using Product = ProductType;
  using Operand = typename Product::Operand;

  // Every step of the maps, once.
  static std::set<Step> StepsOf(const LayerParts& parts, unsigned threads) {
    std::set<Step> steps;
    for (const auto* maps : {&parts.before(), &parts.after()}) {
      for (const LinearMap& map : *maps) {
        const Tiles tiles(Shape(map), threads, Product::kTile);
        for (int64_t index = 0; index < tiles.count(); ++index)
          steps.insert(StepOf(map, tiles[index]));
      }
    }
    return steps;
  }

  static uint64_t BytesOf(const LayerParts& parts, unsigned threads) {
    return threads * sizeof(Operand) * Most(parts, threads).total();
  }

  // One of `products` for each thread of the pool, which outlives this object.
  Linear(const LayerParts& parts, ThreadPool& pool, std::vector<Product> products)
      : pool_(pool), products_(std::move(products)) {
    tiles_.reserve(std::max(parts.before().size(), parts.after().size()));
    for (unsigned thread = 0; thread < pool.threads(); ++thread)
      scratch_.emplace_back(Most(parts, pool.threads()));
  }

  // The parts' maps before the attention, or those after it, with data, as one set of tasks. Throws
  // std::runtime_error where the library fails. [timed]
  void Run(std::span<const LinearMap> maps) {
    tiles_.clear();
    int64_t count = 0;
    for (const LinearMap& map : maps) {
      tiles_.emplace_back(Shape(map), pool_.threads(), Product::kTile);
      count += tiles_.back().count();
    }
    failed_ = false;
    pool_.Run(count, [&](int64_t index, unsigned thread) {
      size_t map = 0;
      while (index >= tiles_[map].count()) index -= tiles_[map++].count();
      try {
        Compute(maps[map], tiles_[map][index], products_[thread], scratch_[thread]);
      } catch (const std::exception&) {
        failed_ = true;
      }
    });
    if (failed_) throw std::runtime_error("the product of a linear map failed");
  }

 private:
  struct Sizes {
    int64_t x = 0, w = 0, bias = 0, y = 0;
    int64_t total() const { return x + w + bias + y; }
  };
  struct Scratch {
    explicit Scratch(const Sizes& sizes) : x(sizes.x), w(sizes.w), bias(sizes.bias), y(sizes.y) {}
    AlignedBuffer<Operand> x, w, bias, y;
  };

  static bool InPlace(const attest_tensor& tensor) {
    return std::is_same_v<Io, Operand> && tensor.strides[tensor.rank - 1] == 1;
  }

  static Sizes Most(const LayerParts& parts, unsigned threads) {
    Sizes most;
    for (const auto* maps : {&parts.before(), &parts.after()}) {
      for (const LinearMap& map : *maps) {
        const Tile tile = Tiles(Shape(map), threads, Product::kTile)[0];  // none is larger
        const int64_t in = map.weight.shape[1];
        if (!InPlace(map.x)) most.x = std::max(most.x, tile.rows * in);
        if (!InPlace(map.weight)) most.w = std::max(most.w, tile.columns * in);
        if (map.bias.role != 0 && !InPlace(map.bias)) most.bias = std::max(most.bias, tile.columns);
        if (!InPlace(map.y)) most.y = std::max(most.y, tile.rows * tile.columns);
      }
    }
    return most;
  }

  static Step StepOf(const LinearMap& map, const Tile& tile) {
    const int64_t in = map.weight.shape[1];
    return {tile.rows,
            tile.columns,
            in,
            InPlace(map.x) ? map.x.strides[1] : in,
            InPlace(map.weight) ? map.weight.strides[0] : in,
            InPlace(map.y) ? map.y.strides[1] : tile.columns,
            map.bias.role != 0};
  }

  static Io* At(const attest_tensor& tensor, int64_t offset) {
    return static_cast<Io*>(tensor.data) + offset;
  }

  // `rows` rows of the tensor from `from` on, `stride` elements apart, as Operands.
  static const Operand* Staged(const attest_tensor& tensor, const Io* from, int64_t rows,
                               int64_t stride, int64_t count, AlignedBuffer<Operand>& scratch) {
    if constexpr (std::is_same_v<Io, Operand>)
      if (InPlace(tensor)) return from;
    for (int64_t row = 0; row < rows; ++row)
      CopyRow(from + row * stride, tensor.strides[tensor.rank - 1], count,
              scratch.data() + row * count);
    return scratch.data();
  }

  static void StoreRow(const Operand* row, int64_t count, Io* out, int64_t step) {
    if constexpr (std::is_same_v<Io, Operand>)
      for (int64_t c = 0; c < count; ++c) out[c * step] = row[c];
    else
      NarrowRow(row, 1.0f, count, out, step);
  }

  static void Compute(const LinearMap& map, const Tile& tile, Product& product, Scratch& scratch) {
    const Step step = StepOf(map, tile);
    const attest_tensor &x = map.x, &w = map.weight, &b = map.bias, &y = map.y;
    const Operand* rows = Staged(x, At(x, tile.matrix * x.strides[0] + tile.row * x.strides[1]),
                                 tile.rows, x.strides[1], step.in, scratch.x);
    const Operand* weights = Staged(w, At(w, tile.column * w.strides[0]), tile.columns,
                                    w.strides[0], step.in, scratch.w);
    const Operand* bias = nullptr;
    if (step.has_bias)
      bias = Staged(b, At(b, tile.column * b.strides[0]), 1, 0, tile.columns, scratch.bias);
    Io* to =
        At(y, tile.matrix * y.strides[0] + tile.row * y.strides[1] + tile.column * y.strides[2]);
    if constexpr (std::is_same_v<Io, Operand>)
      if (InPlace(y)) return product.Multiply(step, rows, weights, bias, to);
    product.Multiply(step, rows, weights, bias, scratch.y.data());
    for (int64_t row = 0; row < tile.rows; ++row)
      StoreRow(scratch.y.data() + row * tile.columns, tile.columns, to + row * y.strides[1],
               y.strides[2]);
  }

  ThreadPool& pool_;
  std::vector<Product> products_;  // one per thread
  std::vector<Scratch> scratch_;   // one per thread
  std::vector<Tiles> tiles_;       // of the maps that run
  std::atomic<bool> failed_{false};
};

}  // namespace attest::linear

#endif  // ATTEST_LINEAR_HPP_
