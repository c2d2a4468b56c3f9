// SPDX-License-Identifier: Apache-2.0
//
// From a declared arithmetic contract to the roundings that the bound counts.
#include "reference/rounding.h"

#include <cmath>
#include <stdexcept>
#include <string>

#include "reference/oracle.h"

namespace attest::reference {
namespace {

struct Format {
  int precision;     // significand bits, the leading one included
  int min_exponent;  // of the least normal number
};

Format FormatTraits(int32_t format) {
  switch (format) {
    case ATTEST_FORMAT_F64:
      return {53, -1022};
    case ATTEST_FORMAT_F32:
      return {24, -126};
    case ATTEST_FORMAT_TF32:
      return {11, -126};
    case ATTEST_FORMAT_F16:
      return {11, -14};
    case ATTEST_FORMAT_BF16:
      return {8, -126};
    default:
      throw std::invalid_argument("unknown arithmetic format " + std::to_string(format) +
                                  ": use one of ATTEST_FORMAT_*");
  }
}

// Roundoff of storing in `format` what is held in a format of roundoff `have`: none where it fits.
double ExtraRoundoff(int32_t format, double have) {
  if (format == ATTEST_FORMAT_NONE) return 0;
  const double u = UnitRoundoff(format);
  return u > have ? u : 0;
}

void CheckContract(const attest_contract& contract) {
  if (contract.accumulate == ATTEST_FORMAT_NONE || contract.accumulate == ATTEST_FORMAT_TF32) {
    throw std::invalid_argument("contract: accumulate must be F64, F32, F16 or BF16");
  }
  const double exp_error = contract.exp_relative_error;
  if (!(std::isfinite(exp_error) && exp_error >= 0)) {
    throw std::invalid_argument("contract: exp_relative_error must be finite and not negative");
  }
  if (contract.probabilities != ATTEST_FORMAT_NONE &&
      UnitRoundoff(contract.probabilities) < UnitRoundoff(contract.accumulate)) {
    throw std::invalid_argument(
        "contract: probabilities are finer than the accumulation that makes them; declare NONE");
  }
}

}  // namespace

double UnitRoundoff(int32_t format) { return std::ldexp(1.0, -FormatTraits(format).precision); }

double HalfLeastSubnormal(int32_t format) {
  const Format traits = FormatTraits(format);
  return std::ldexp(1.0, traits.min_exponent - traits.precision);
}

// Where an exp that puts its result together from exponent bits ends: twice the least normal
// number.
double FlushThreshold(int32_t format) { return std::ldexp(2.0, FormatTraits(format).min_exponent); }

int32_t FormatOfDtype(int32_t dtype) {
  switch (dtype) {
    case ATTEST_F64:
      return ATTEST_FORMAT_F64;
    case ATTEST_F32:
      return ATTEST_FORMAT_F32;
    case ATTEST_F16:
      return ATTEST_FORMAT_F16;
    case ATTEST_BF16:
      return ATTEST_FORMAT_BF16;
    default:
      throw std::invalid_argument("io type " + std::to_string(dtype) +
                                  " is not a floating-point type: use F32, F16, BF16 or F64");
  }
}

double Gamma(double n, double u) {
  const double nu = n * u;
  return nu < 1 ? std::fmin(nu / (1 - nu), kNoBound) : kNoBound;
}

Rounding RoundingOf(const attest_contract& contract, int32_t dtype, int32_t op) {
  CheckContract(contract);
  const int32_t io = FormatOfDtype(dtype);
  const int32_t p_format =
      contract.probabilities == ATTEST_FORMAT_NONE ? contract.accumulate : contract.probabilities;
  Rounding rounding;
  rounding.u_acc = UnitRoundoff(contract.accumulate);
  rounding.u_op = ExtraRoundoff(contract.operands, UnitRoundoff(io));
  rounding.u_s = ExtraRoundoff(contract.scores, rounding.u_acc);
  rounding.u_p = ExtraRoundoff(contract.probabilities, rounding.u_acc);
  rounding.u_out = UnitRoundoff(io);
  rounding.eps_exp =
      contract.exp_relative_error > 0 ? contract.exp_relative_error : 4 * rounding.u_acc;
  rounding.eta_p = HalfLeastSubnormal(p_format);
  if ((contract.flags & ATTEST_CONTRACT_FLUSHES_SUBNORMALS) != 0)
    rounding.eta_p = std::fmax(rounding.eta_p, FlushThreshold(contract.accumulate));
  rounding.eta_out = HalfLeastSubnormal(io);
  if (op != ATTEST_OP_SELF_ATTENTION) return rounding;
  rounding.u_store = ExtraRoundoff(contract.projections, rounding.u_acc);
  if (rounding.u_store > 0) rounding.eta_store = HalfLeastSubnormal(contract.projections);
  rounding.u_inner = ExtraRoundoff(contract.operands, std::fmax(rounding.u_store, rounding.u_acc));
  return rounding;
}

}  // namespace attest::reference
