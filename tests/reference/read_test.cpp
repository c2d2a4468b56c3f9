// SPDX-License-Identifier: Apache-2.0
//
// Element types bit by bit, strides, and refusals.
#include "reference/read.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <stdexcept>

#include "case.h"

namespace attest::reference {
namespace {

TEST(HalfToDouble, EveryBitPattern) {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    const double got = HalfToDouble(static_cast<uint16_t>(bits));
    const int exponent = static_cast<int>(bits >> 10 & 31);
    const int fraction = static_cast<int>(bits & 1023);
    ASSERT_EQ(std::signbit(got), bits >= 32768 && !std::isnan(got));
    if (exponent == 31) {
      ASSERT_TRUE(fraction != 0 ? std::isnan(got) : std::isinf(got));
    } else {
      const double size =
          exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
      ASSERT_EQ(std::fabs(got), size);
    }
  }
}

TEST(BfloatToDouble, IsTheTopOfAFloat) {
  EXPECT_EQ(BfloatToDouble(0x3f80), 1.0);
  EXPECT_EQ(BfloatToDouble(0xc049), -3.140625);
  EXPECT_EQ(BfloatToDouble(0x0001), 0x1p-133);
  EXPECT_TRUE(std::isnan(BfloatToDouble(0x7fc0)));
}

TEST(ReadRow, FollowsEveryStride) {
  float data[256];
  for (int n = 0; n < 256; ++n) data[n] = static_cast<float>(n);
  attest_tensor tensor{};
  tensor.dtype = ATTEST_F32;
  tensor.rank = 4;
  tensor.data = data;
  const int64_t strides[] = {100, 0, 20, 3};
  std::copy(strides, strides + 4, tensor.strides);
  double out[2];
  ReadRow(tensor, 1, 5, 2, 1, 3, out);
  EXPECT_EQ(out[0], 143);
  EXPECT_EQ(out[1], 146);
}

TEST(RequireTensor, NamesWhatIsWrong) {
  const Case c(MakeProblem(1, 1, 2, 3, 4, 5), "normal", 1);
  const auto tensors = c.Tensors();
  const std::array<int64_t, 4> k = {1, 1, 3, 4};
  EXPECT_NO_THROW(RequireTensor(tensors, ATTEST_ROLE_K, ATTEST_F32, k));
  EXPECT_THROW(RequireTensor(tensors, ATTEST_ROLE_MASK, ATTEST_F32, k), std::invalid_argument);
  EXPECT_THROW(RequireTensor(tensors, ATTEST_ROLE_K, ATTEST_F16, k), std::invalid_argument);
  EXPECT_THROW(RequireTensor(tensors, ATTEST_ROLE_V, ATTEST_F32, k), std::invalid_argument);
  attest_tensor empty = *tensors[1];
  empty.data = nullptr;
  const attest_tensor* const without[] = {&empty};
  EXPECT_THROW(RequireTensor(without, ATTEST_ROLE_K, ATTEST_F32, k), std::invalid_argument);
}

}  // namespace
}  // namespace attest::reference
