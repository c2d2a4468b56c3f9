// SPDX-License-Identifier: Apache-2.0
//
// The reader on every element type and on files that are damaged: each is refused with its name.
#include "harness/vectors/onnx_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "tests/vectors/written_case.h"

namespace attest::vectors {
namespace {

using testing::AllOf;
using testing::HasSubstr;

// Why the message, written to a file, is refused; "" = it is read.
std::string WhyRefused(const std::string& bytes) {
  WrittenCase folder;
  WriteFile(folder.path("x.pb"), bytes);
  try {
    (void)ReadTensor(folder.path("x.pb"));
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "";
}

Tensor Written(const onnx::TensorProto& message) {
  WrittenCase folder;
  WriteFile(folder.path("x.pb"), message.SerializeAsString());
  return ReadTensor(folder.path("x.pb"));
}

TEST(ReadTensor, RawAndTypedDataAreTheSame) {
  const std::vector<float> values = {1.5F, -2, 0.25F, 7};
  const onnx::TensorProto typed = FloatTensor("x", {2, 2}, values);
  onnx::TensorProto raw = FloatTensor("x", {2, 2}, {});
  raw.set_raw_data(values.data(), values.size() * sizeof(float));
  const Tensor a = Written(typed), b = Written(raw);
  EXPECT_EQ(a.bytes, b.bytes);
  EXPECT_EQ(a.shape, (std::vector<int64_t>{2, 2}));
  EXPECT_EQ(a.dtype, ATTEST_F32);
  EXPECT_EQ(a.name, "x");
}

TEST(ReadTensor, SixteenBitTypesKeepTheirBits) {
  for (const auto& [type, dtype] : {std::pair{onnx::TensorProto::FLOAT16, ATTEST_F16},
                                    std::pair{onnx::TensorProto::BFLOAT16, ATTEST_BF16}}) {
    onnx::TensorProto message;
    message.set_data_type(type);
    message.add_dims(2);
    message.add_int32_data(0x3c00);
    message.add_int32_data(0xffff);
    const Tensor tensor = Written(message);
    EXPECT_EQ(tensor.dtype, dtype);
    uint16_t bits[2];
    ASSERT_EQ(tensor.bytes.size(), sizeof bits);
    std::memcpy(bits, tensor.bytes.data(), sizeof bits);
    EXPECT_EQ(bits[0], 0x3c00);
    EXPECT_EQ(bits[1], 0xffff);
  }
}

TEST(ReadTensor, EmptyTensorsAreTensors) {
  EXPECT_EQ(ElementCount(Written(FloatTensor("x", {2, 0, 3}, {}))), 0);
}

TEST(ReadTensor, RefusesDamagedFiles) {
  const std::string good = FloatTensor("x", {2}, {1, 2}).SerializeAsString();
  EXPECT_EQ(WhyRefused(good), "");
  EXPECT_THAT(WhyRefused(good.substr(0, good.size() - 4)),
              AllOf(HasSubstr("x.pb"), HasSubstr("damaged")));
  EXPECT_THAT(WhyRefused("no protobuf at all"), HasSubstr("damaged"));
  EXPECT_THAT(WhyRefused(""), HasSubstr("element type 0"));
}

TEST(ReadTensor, RefusesDataThatDoesNotFillTheShape) {
  EXPECT_THAT(WhyRefused(FloatTensor("x", {3}, {1, 2}).SerializeAsString()),
              HasSubstr("holds 8 bytes of data, but its shape needs 12"));
  EXPECT_THAT(WhyRefused(FloatTensor("x", {-1}, {}).SerializeAsString()),
              HasSubstr("extent of -1"));
  EXPECT_THAT(WhyRefused(FloatTensor("x", {1 << 20, 1 << 20}, {}).SerializeAsString()),
              HasSubstr("elements"));
}

TEST(ReadTensor, RefusesWhatItDoesNotKnow) {
  onnx::TensorProto strings;
  strings.set_data_type(onnx::TensorProto::STRING);
  EXPECT_THAT(WhyRefused(strings.SerializeAsString()), HasSubstr("element type 8"));
  onnx::TensorProto outside = FloatTensor("x", {1}, {});
  outside.set_data_location(onnx::TensorProto::EXTERNAL);
  EXPECT_THAT(WhyRefused(outside.SerializeAsString()), HasSubstr("another file"));
  onnx::TensorProto booleans;
  booleans.set_data_type(onnx::TensorProto::BOOL);
  booleans.add_dims(1);
  booleans.add_int32_data(2);
  EXPECT_THAT(WhyRefused(booleans.SerializeAsString()), HasSubstr("neither 0 nor 1"));
}

TEST(ReadModel, RefusesAMissingOrDamagedFile) {
  WrittenCase folder;
  EXPECT_THROW((void)ReadModel(folder.path("model.onnx")), std::runtime_error);
  WriteFile(folder.path("model.onnx"), "\x0a\xff\xff");
  EXPECT_THROW((void)ReadModel(folder.path("model.onnx")), std::runtime_error);
}

}  // namespace
}  // namespace attest::vectors
