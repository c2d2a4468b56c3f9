// SPDX-License-Identifier: Apache-2.0
//
// Which mutant this library is.
#ifndef ATTEST_TESTS_MUTANTS_SELF_H_
#define ATTEST_TESTS_MUTANTS_SELF_H_

namespace mutants {

extern const char* const kSelf;

}  // namespace mutants

#endif  // ATTEST_TESTS_MUTANTS_SELF_H_
