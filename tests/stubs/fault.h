// SPDX-License-Identifier: Apache-2.0
//
// Which stub this library is.
#ifndef ATTEST_TESTS_STUBS_FAULT_H_
#define ATTEST_TESTS_STUBS_FAULT_H_

#include <string_view>

namespace stubs {

extern const char* const kFaultName;
inline bool Is(std::string_view fault) { return fault == kFaultName; }

}  // namespace stubs

#endif  // ATTEST_TESTS_STUBS_FAULT_H_
