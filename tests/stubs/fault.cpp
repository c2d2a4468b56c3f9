// SPDX-License-Identifier: Apache-2.0
//
// The one thing in which stubs differ: ATTEST_STUB_FAULT, their fault and their name.
#include "fault.h"

namespace stubs {
const char* const kFaultName = ATTEST_STUB_FAULT;
}
