// SPDX-License-Identifier: Apache-2.0
//
// A plugin linked without the version script, so that it exports a second symbol: what
// exported_symbols.py has to find. It is never loaded.
#include "attest/abi.h"

extern "C" ATTEST_EXPORT int attest_second_symbol() { return 1; }

extern "C" ATTEST_EXPORT const attest_backend* attest_backend_entry(uint32_t) { return nullptr; }
