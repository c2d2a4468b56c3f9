// SPDX-License-Identifier: Apache-2.0
//
// Rows convert as single elements do, whatever their step and length. The CPU's own conversions are
// inside where this file is compiled for them; elsewhere conformance in f16 sees them.
#include "attest/convert_row.hpp"

#include <bit>
#include <cstring>
#include <vector>

#include "gtest/gtest.h"

namespace attest {
namespace {

template <typename Io>
class ConvertRow : public testing::Test {
 public:
  static Io Of(uint32_t bits) { return {static_cast<uint16_t>(bits)}; }
};
using Types = testing::Types<Half, Bfloat16>;
TYPED_TEST_SUITE(ConvertRow, Types);

TYPED_TEST(ConvertRow, WidensEveryValue) {
  std::vector<TypeParam> row(0x10000);
  for (uint32_t bits = 0; bits < 0x10000; ++bits) row[bits] = this->Of(bits);
  std::vector<float> wide(0x10000);
  WidenRow(row.data(), 1, 0x10000, wide.data());
  for (uint32_t bits = 0; bits < 0x10000; ++bits)
    ASSERT_EQ(std::bit_cast<uint32_t>(wide[bits]), std::bit_cast<uint32_t>(ToFloat(row[bits])))
        << bits;
}

TYPED_TEST(ConvertRow, NarrowsAsSingleElementsDo) {
  std::vector<float> row;
  for (uint64_t bits = 0; bits < (uint64_t{1} << 32); bits += 4099)
    row.push_back(std::bit_cast<float>(static_cast<uint32_t>(bits)));
  std::vector<TypeParam> narrow(row.size());
  NarrowRow(row.data(), 0.75f, static_cast<int64_t>(row.size()), narrow.data(), 1);
  for (size_t c = 0; c < row.size(); ++c) {
    TypeParam expected;
    Narrow(row[c] * 0.75f, &expected);
    ASSERT_EQ(narrow[c].bits, expected.bits) << row[c];
  }
}

TYPED_TEST(ConvertRow, EveryLengthAndStep) {
  for (int64_t step = 0; step <= 3; ++step)
    for (int64_t count = 0; count <= 35; ++count) {
      std::vector<TypeParam> row(3 * 36, TypeParam{0x1234});
      std::vector<float> wide(count + 1, -7.0f);
      for (int64_t c = 0; c < 36; ++c) Narrow(static_cast<float>(c), &row[c * step]);
      WidenRow(row.data(), step, count, wide.data());
      for (int64_t c = 0; c < count; ++c) ASSERT_EQ(wide[c], ToFloat(row[c * step]));
      ASSERT_EQ(wide[count], -7.0f);
      if (step == 0) continue;
      std::vector<TypeParam> back(3 * 36, TypeParam{0x1234});
      NarrowRow(wide.data(), 2.0f, count, back.data(), step);
      for (int64_t c = 0; c < 3 * 36; ++c)
        ASSERT_EQ(ToFloat(back[c]), c % step == 0 && c / step < count ? 2.0f * (c / step)
                                                                      : ToFloat(TypeParam{0x1234}));
    }
}

}  // namespace
}  // namespace attest
