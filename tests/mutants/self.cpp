// SPDX-License-Identifier: Apache-2.0
//
// The one thing in which mutants differ: ATTEST_MUTANT, the name of their row in mutant.cpp's
// table.
#include "self.h"

namespace mutants {
const char* const kSelf = ATTEST_MUTANT;
}
