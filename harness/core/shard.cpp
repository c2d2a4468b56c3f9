// SPDX-License-Identifier: Apache-2.0
#include "harness/core/shard.h"

#include <fmt/format.h>

#include <charconv>
#include <stdexcept>

namespace attest {

Shard ParseShard(const std::string& text) {
  if (text.empty()) return {};
  Shard shard{0, 0};
  const char* end = text.data() + text.size();
  const auto [slash, first_error] = std::from_chars(text.data(), end, shard.index);
  const bool has_slash = first_error == std::errc() && slash != end && *slash == '/';
  const auto [stop, error] = std::from_chars(has_slash ? slash + 1 : end, end, shard.count);
  const bool good = has_slash && error == std::errc() && stop == end && shard.index >= 1 &&
                    shard.index <= shard.count;
  if (!good)
    throw std::invalid_argument(
        fmt::format("--shard '{}': use i/n with 1 <= i <= n, as in 2/8", text));
  return shard;
}

std::vector<Cell> CellsOfShard(const std::vector<Cell>& cells, const Shard& shard) {
  std::vector<Cell> part;
  for (size_t i = shard.index - 1; i < cells.size(); i += shard.count) part.push_back(cells[i]);
  if (part.empty())
    throw std::invalid_argument(fmt::format("--shard {}/{}: the sweep has only {} cells",
                                            shard.index, shard.count, cells.size()));
  return part;
}

}  // namespace attest
