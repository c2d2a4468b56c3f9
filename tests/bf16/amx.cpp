// SPDX-License-Identifier: Apache-2.0
//
// In place of backends/cpu/amx.cpp.
#include "amx.h"

#include "tiles.h"

namespace attest::cpu {

bool HasAmx() { return true; }
void StartTiles() { tiles::Start(); }
void StopTiles() { tiles::Stop(); }

}  // namespace attest::cpu
