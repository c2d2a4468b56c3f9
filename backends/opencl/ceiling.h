// SPDX-License-Identifier: Apache-2.0
//
// The device's own ceilings, measured with ceiling.cl.
#ifndef ATTEST_OPENCL_CEILING_H_
#define ATTEST_OPENCL_CEILING_H_

#include "attest/abi.h"
#include "session.h"

namespace attest::opencl {

// FMA rate and read bandwidth by event times, the best of a few runs. All zero (not measured) on a
// CPU device, whose ceilings are the host's. Throws DeviceError, OutOfMemory. [setup]
attest_ceiling_values MeasureCeilings(Session& session, uint64_t footprint_bytes);

}  // namespace attest::opencl

#endif  // ATTEST_OPENCL_CEILING_H_
