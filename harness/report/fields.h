// SPDX-License-Identifier: Apache-2.0
//
// Which key holds which member, stated once for writing and reading. Structs whose JSON has another
// shape than the struct are in write_cells.cpp and read_cells.cpp (problem, counts) or write.cpp
// and read.cpp (top level).
#ifndef ATTEST_HARNESS_REPORT_FIELDS_H_
#define ATTEST_HARNESS_REPORT_FIELDS_H_

#include <tuple>

#include "harness/report/model.h"

namespace attest::report {

template <class Struct, class Member>
struct Field {
  const char* key;
  Member Struct::*member;
  bool required = false;
};
template <class Struct, class Member>
constexpr Field<Struct, Member> Optional(const char* key, Member Struct::*member) {
  return {key, member, false};
}
template <class Struct, class Member>
constexpr Field<Struct, Member> Required(const char* key, Member Struct::*member) {
  return {key, member, true};
}

// FieldsOf(Struct*) gives a tuple of Fields in the order they are written.
constexpr auto FieldsOf(const Cache*) {
  return std::tuple(Optional("type", &Cache::type), Optional("level", &Cache::level),
                    Optional("size", &Cache::size_bytes),
                    Optional("num_sharing", &Cache::num_sharing));
}
constexpr auto FieldsOf(const Cpu*) {
  return std::tuple(Optional("model", &Cpu::model), Optional("microcode", &Cpu::microcode),
                    Optional("sockets", &Cpu::sockets), Optional("cores", &Cpu::cores),
                    Optional("threads", &Cpu::threads), Optional("mhz", &Cpu::mhz),
                    Optional("isa", &Cpu::isa), Optional("caches", &Cpu::caches),
                    Optional("numa_nodes", &Cpu::numa_nodes));
}
constexpr auto FieldsOf(const Limits*) {
  return std::tuple(Optional("cpu_quota", &Limits::cpu_quota),
                    Optional("affinity", &Limits::affinity),
                    Optional("memory_bytes", &Limits::memory_bytes));
}
constexpr auto FieldsOf(const Frequency*) {
  return std::tuple(Optional("governor", &Frequency::governor),
                    Optional("turbo", &Frequency::turbo));
}
constexpr auto FieldsOf(const Gpu*) {
  return std::tuple(Optional("name", &Gpu::name), Optional("driver", &Gpu::driver),
                    Optional("memory_bytes", &Gpu::memory_bytes),
                    Optional("power_cap_watts", &Gpu::power_cap_watts),
                    Optional("power_watts", &Gpu::power_watts),
                    Optional("temperature_celsius", &Gpu::temperature_celsius),
                    Optional("sm_clock_hertz", &Gpu::sm_clock_hertz),
                    Optional("sm_clock_max_hertz", &Gpu::sm_clock_max_hertz),
                    Optional("memory_clock_hertz", &Gpu::memory_clock_hertz),
                    Optional("ecc", &Gpu::ecc), Optional("mig", &Gpu::mig));
}
// host_name and load_average stand in "context".
constexpr auto FieldsOf(const Machine*) {
  return std::tuple(Optional("slug", &Machine::slug), Optional("os", &Machine::os),
                    Optional("kernel", &Machine::kernel),
                    Optional("virtualization", &Machine::virtualization),
                    Optional("cpu", &Machine::cpu), Optional("limits", &Machine::limits),
                    Optional("frequency", &Machine::frequency), Optional("gpus", &Machine::gpus),
                    Optional("nvml", &Machine::nvml));
}
constexpr auto FieldsOf(const Build*) {
  return std::tuple(Optional("version", &Build::version), Optional("commit", &Build::commit),
                    Optional("dirty", &Build::dirty), Optional("compiler", &Build::compiler),
                    Optional("flags", &Build::flags), Optional("build_type", &Build::build_type));
}
constexpr auto FieldsOf(const Policy*) {
  return std::tuple(
      Optional("argv", &Policy::argv), Optional("executable", &Policy::executable),
      Optional("suite", &Policy::suite), Optional("axes", &Policy::axes),
      Optional("backends", &Policy::backends), Optional("backend_paths", &Policy::backend_paths),
      Optional("require", &Policy::require), Optional("baseline", &Policy::baseline),
      Required("seed", &Policy::seed), Optional("rounds", &Policy::rounds),
      Optional("min_time_seconds", &Policy::min_time_seconds),
      Optional("threads", &Policy::threads), Optional("fewer_threads", &Policy::fewer_threads),
      Optional("data", &Policy::data), Optional("timeout_seconds", &Policy::timeout_seconds),
      Optional("max_cell_seconds", &Policy::max_cell_seconds),
      Optional("oracle_budget", &Policy::oracle_budget), Optional("cache", &Policy::cache),
      Optional("warm_up_calls", &Policy::warm_up_calls),
      Optional("warm_up_seconds", &Policy::warm_up_seconds), Optional("isa", &Policy::isa),
      Optional("tune", &Policy::tune), Optional("shard", &Policy::shard),
      Optional("shrink_seconds", &Policy::shrink_seconds),
      Optional("verify_only", &Policy::verify_only), Optional("checks", &Policy::checks),
      Optional("compare_rules", &Policy::compare_rules));
}
constexpr auto FieldsOf(const Ceiling*) {
  return std::tuple(Optional("threads", &Ceiling::threads), Optional("isa", &Ceiling::isa),
                    Optional("f32_fma_flops", &Ceiling::f32_fma_flops),
                    Optional("bf16_dot_flops", &Ceiling::bf16_dot_flops),
                    Optional("read_bytes_per_second", &Ceiling::read_bytes_per_second),
                    Optional("footprint_bytes", &Ceiling::footprint_bytes));
}
constexpr auto FieldsOf(const Contract*) {
  return std::tuple(
      Optional("dtype", &Contract::dtype), Optional("accumulate", &Contract::accumulate),
      Optional("operands", &Contract::operands), Optional("scores", &Contract::scores),
      Optional("probabilities", &Contract::probabilities),
      Optional("exp_relative_error", &Contract::exp_relative_error),
      Optional("nondeterministic", &Contract::nondeterministic),
      Optional("masked_nan_safe", &Contract::masked_nan_safe),
      Optional("projections", &Contract::projections),
      Optional("flushes_subnormals", &Contract::flushes_subnormals));
}
constexpr auto FieldsOf(const Variant*) {
  return std::tuple(Required("name", &Variant::name),
                    Optional("description", &Variant::description),
                    Optional("contracts", &Variant::contracts));
}
constexpr auto FieldsOf(const Device*) {
  return std::tuple(Required("index", &Device::index), Optional("name", &Device::name),
                    Optional("driver", &Device::driver), Optional("kind", &Device::kind),
                    Optional("memory_bytes", &Device::memory_bytes),
                    Optional("extensions", &Device::extensions));
}
constexpr auto FieldsOf(const Backend*) {
  return std::tuple(Required("name", &Backend::name), Required("state", &Backend::state),
                    Optional("reason", &Backend::reason), Optional("path", &Backend::path),
                    Optional("library", &Backend::library),
                    Optional("library_version", &Backend::library_version),
                    Optional("runtime", &Backend::runtime), Optional("abi", &Backend::abi),
                    Optional("floating_point_environment", &Backend::floating_point_environment),
                    Optional("devices", &Backend::devices),
                    Optional("variants", &Backend::variants));
}
constexpr auto FieldsOf(const Worst*) {
  return std::tuple(Optional("batch", &Worst::batch), Optional("head", &Worst::head),
                    Optional("row", &Worst::row), Optional("column", &Worst::column),
                    Optional("expected", &Worst::expected), Optional("got", &Worst::got));
}
constexpr auto FieldsOf(const Check*) {
  return std::tuple(Required("name", &Check::name), Required("outcome", &Check::outcome),
                    Optional("detail", &Check::detail));
}
constexpr auto FieldsOf(const Verification*) {
  return std::tuple(
      Optional("max_abs_error", &Verification::max_abs_error),
      Optional("error_over_bound", &Verification::error_over_bound),
      Optional("error_over_probabilistic_bound", &Verification::error_over_probabilistic_bound),
      Optional("worst", &Verification::worst), Optional("max_ulp", &Verification::max_ulp),
      Optional("bias_z", &Verification::bias_z), Optional("nmse", &Verification::nmse),
      Optional("resolving_power", &Verification::resolving_power),
      Optional("inferred_contract", &Verification::inferred_contract),
      Optional("deviation", &Verification::deviation), Optional("rules", &Verification::rules),
      Optional("checks", &Verification::checks));
}
// "rounds" is written beside these: the number of samples.
constexpr auto FieldsOf(const Timing*) {
  return std::tuple(
      Optional("timer", &Timing::timer), Required("samples_seconds", &Timing::samples_seconds),
      Optional("wall_samples_seconds", &Timing::wall_samples_seconds),
      Optional("cpu_samples_seconds", &Timing::cpu_samples_seconds),
      Optional("device_samples_seconds", &Timing::device_samples_seconds),
      Optional("iterations", &Timing::iterations),
      Optional("median_seconds", &Timing::median_seconds),
      Optional("p20_seconds", &Timing::p20_seconds), Optional("p80_seconds", &Timing::p80_seconds),
      Optional("min_seconds", &Timing::min_seconds), Optional("spread", &Timing::spread),
      Optional("drift", &Timing::drift), Optional("outliers", &Timing::outliers),
      Optional("cpus_used", &Timing::cpus_used),
      Optional("voluntary_switches", &Timing::voluntary_switches),
      Optional("involuntary_switches", &Timing::involuntary_switches),
      Optional("noisy", &Timing::noisy), Optional("noise_reason", &Timing::noise_reason));
}
constexpr auto FieldsOf(const Rates*) {
  return std::tuple(Optional("flops_per_second", &Rates::flops_per_second),
                    Optional("bytes_per_second", &Rates::bytes_per_second),
                    Optional("fraction_of_ceiling", &Rates::fraction_of_ceiling),
                    Optional("ceiling", &Rates::ceiling));
}
constexpr auto FieldsOf(const Scaling*) {
  return std::tuple(Required("from_threads", &Scaling::from_threads),
                    Required("ratio", &Scaling::ratio), Optional("low", &Scaling::low),
                    Optional("high", &Scaling::high), Optional("efficiency", &Scaling::efficiency),
                    Optional("rounds", &Scaling::rounds));
}
constexpr auto FieldsOf(const Smallest*) {
  return std::tuple(Required("cell", &Smallest::cell), Optional("reason", &Smallest::reason),
                    Optional("minimal", &Smallest::minimal), Optional("tries", &Smallest::tries),
                    Optional("seconds", &Smallest::seconds));
}
constexpr auto FieldsOf(const Result*) {
  return std::tuple(
      Required("backend", &Result::backend), Required("variant", &Result::variant),
      Optional("device", &Result::device), Optional("threads", &Result::threads),
      Optional("implementation", &Result::implementation), Required("verdict", &Result::verdict),
      Optional("reason", &Result::reason), Optional("reproduce", &Result::reproduce),
      Optional("reproduce_original", &Result::reproduce_original),
      Optional("smallest", &Result::smallest), Optional("verification", &Result::verification),
      Optional("timing", &Result::timing), Optional("rates", &Result::rates),
      Optional("scaling", &Result::scaling),
      Optional("peak_memory_bytes", &Result::peak_memory_bytes),
      Optional("workspace_bytes", &Result::workspace_bytes),
      Optional("device_bytes", &Result::device_bytes),
      Optional("setup_seconds", &Result::setup_seconds));
}
constexpr auto FieldsOf(const RoundCeiling*) {
  return std::tuple(
      Required("figure", &RoundCeiling::figure), Optional("threads", &RoundCeiling::threads),
      Optional("footprint_bytes", &RoundCeiling::footprint_bytes),
      Required("samples", &RoundCeiling::samples), Optional("median", &RoundCeiling::median));
}
// "problem", "layout", "mask_shape", "data" and "seed" of the cell stand between "id" and these.
constexpr auto FieldsOf(const CellRecord*) {
  return std::tuple(
      Optional("flops", &CellRecord::flops),
      Optional("flops_unmasked", &CellRecord::flops_unmasked),
      Optional("bytes_min", &CellRecord::bytes_min),
      Optional("rows_checked", &CellRecord::rows_checked),
      Optional("rows_total", &CellRecord::rows_total), Optional("ceiling", &CellRecord::ceiling),
      Optional("agreement", &CellRecord::agreement), Required("results", &CellRecord::results));
}
constexpr auto FieldsOf(const StudyRow*) {
  return std::tuple(Required("cell", &StudyRow::cell), Required("category", &StudyRow::category),
                    Optional("series", &StudyRow::series), Required("figures", &StudyRow::figures),
                    Required("verdict", &StudyRow::verdict), Optional("reason", &StudyRow::reason));
}
constexpr auto FieldsOf(const Study*) {
  return std::tuple(Required("name", &Study::name), Required("backend", &Study::backend),
                    Optional("sentence", &Study::sentence), Required("rows", &Study::rows));
}

}  // namespace attest::report

#endif  // ATTEST_HARNESS_REPORT_FIELDS_H_
