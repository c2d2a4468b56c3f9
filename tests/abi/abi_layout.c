// SPDX-License-Identifier: Apache-2.0
//
// The plugin interface as a C11 compiler sees it: abi.h compiles without a warning, and the offset
// of every field, the size of every struct and the value of every constant stay where plugins
// compiled years ago expect them. The numbers hold where pointers have 64 bits. A number here
// changes only with ATTEST_ABI_MAJOR; a new field or constant is appended with the minor version.
// check_pins.py makes sure that nothing of abi.h is missing here.
#include "attest/abi.h"

#define FIELD(type, field, offset) \
  _Static_assert(offsetof(type, field) == (offset), #type "." #field " has moved")
#define SIZE(type, bytes) _Static_assert(sizeof(type) == (bytes), "size of " #type " has changed")
#define VALUE(name, number) _Static_assert((name) == (number), #name " has changed")

_Static_assert(sizeof(void*) == 8, "these offsets are those of 64-bit platforms");
_Static_assert(sizeof(attest_status) == 4, "attest_status is an int32_t");

// clang-format off
FIELD(attest_tensor, size, 0);
FIELD(attest_tensor, role, 8);
FIELD(attest_tensor, dtype, 12);
FIELD(attest_tensor, rank, 16);
FIELD(attest_tensor, reserved, 20);
FIELD(attest_tensor, shape, 24);
FIELD(attest_tensor, strides, 72);
FIELD(attest_tensor, data, 120);
FIELD(attest_tensor, extent_bytes, 128);
FIELD(attest_tensor, margin_before_bytes, 136);
FIELD(attest_tensor, margin_after_bytes, 144);
SIZE(attest_tensor, 152);

FIELD(attest_problem, size, 0);
FIELD(attest_problem, op, 8);
FIELD(attest_problem, dtype, 12);
FIELD(attest_problem, batch_size, 16);
FIELD(attest_problem, q_num_heads, 24);
FIELD(attest_problem, kv_num_heads, 32);
FIELD(attest_problem, q_sequence_length, 40);
FIELD(attest_problem, kv_sequence_length, 48);
FIELD(attest_problem, head_size, 56);
FIELD(attest_problem, v_head_size, 64);
FIELD(attest_problem, scale, 72);
FIELD(attest_problem, softcap, 80);
FIELD(attest_problem, is_causal, 88);
FIELD(attest_problem, attn_mask, 92);
FIELD(attest_problem, causal_offset, 96);
FIELD(attest_problem, left_window_size, 104);
FIELD(attest_problem, right_window_size, 112);
FIELD(attest_problem, has_kv_lengths, 120);
FIELD(attest_problem, outputs, 124);
FIELD(attest_problem, hidden_size, 128);
FIELD(attest_problem, structure, 136);
FIELD(attest_problem, has_bias, 140);
FIELD(attest_problem, has_output_projection, 144);
FIELD(attest_problem, is_cross, 148);
SIZE(attest_problem, 152);

FIELD(attest_plan_request, size, 0);
FIELD(attest_plan_request, problem, 8);
FIELD(attest_plan_request, tensors, 16);
FIELD(attest_plan_request, tensor_count, 24);
FIELD(attest_plan_request, variant, 28);
SIZE(attest_plan_request, 32);

FIELD(attest_message, size, 0);
FIELD(attest_message, capacity, 8);
FIELD(attest_message, text, 16);
SIZE(attest_message, 24);

FIELD(attest_settings, size, 0);
FIELD(attest_settings, threads, 8);
FIELD(attest_settings, device, 12);
FIELD(attest_settings, cache_directory, 16);
SIZE(attest_settings, 24);

FIELD(attest_device_info, size, 0);
FIELD(attest_device_info, name, 8);
FIELD(attest_device_info, driver, 16);
FIELD(attest_device_info, kind, 24);
FIELD(attest_device_info, reserved, 28);
FIELD(attest_device_info, memory_bytes, 32);
FIELD(attest_device_info, extensions, 40);
SIZE(attest_device_info, 48);

FIELD(attest_backend_info, size, 0);
FIELD(attest_backend_info, library, 8);
FIELD(attest_backend_info, library_version, 16);
FIELD(attest_backend_info, runtime, 24);
SIZE(attest_backend_info, 32);

FIELD(attest_variant_info, size, 0);
FIELD(attest_variant_info, name, 8);
FIELD(attest_variant_info, description, 16);
FIELD(attest_variant_info, expected_implementations, 24);
SIZE(attest_variant_info, 32);

FIELD(attest_contract, size, 0);
FIELD(attest_contract, accumulate, 8);
FIELD(attest_contract, operands, 12);
FIELD(attest_contract, scores, 16);
FIELD(attest_contract, probabilities, 20);
FIELD(attest_contract, exp_relative_error, 24);
FIELD(attest_contract, flags, 32);
FIELD(attest_contract, projections, 36);
SIZE(attest_contract, 40);

FIELD(attest_plan_info, size, 0);
FIELD(attest_plan_info, implementation, 8);
FIELD(attest_plan_info, workspace_bytes, 16);
FIELD(attest_plan_info, device_bytes, 24);
SIZE(attest_plan_info, 32);

FIELD(attest_backend, abi_version, 0);
FIELD(attest_backend, size, 4);
FIELD(attest_backend, name, 8);
FIELD(attest_backend, configure, 16);
FIELD(attest_backend, backend_info, 24);
FIELD(attest_backend, device_count, 32);
FIELD(attest_backend, device_info, 40);
FIELD(attest_backend, variant_count, 48);
FIELD(attest_backend, variant_info, 56);
FIELD(attest_backend, variant_contract, 64);
FIELD(attest_backend, supports, 72);
FIELD(attest_backend, plan_workspace, 80);
FIELD(attest_backend, plan_create, 88);
FIELD(attest_backend, plan_bind, 96);
FIELD(attest_backend, plan_run, 104);
FIELD(attest_backend, plan_sync, 112);
FIELD(attest_backend, plan_download, 120);
FIELD(attest_backend, plan_info, 128);
FIELD(attest_backend, plan_destroy, 136);
FIELD(attest_backend, get_extension, 144);
SIZE(attest_backend, 152);

FIELD(attest_timer, size, 0);
FIELD(attest_timer, modes, 8);
FIELD(attest_timer, run, 16);
FIELD(attest_timer, last_seconds, 24);
SIZE(attest_timer, 32);

FIELD(attest_ceiling_values, size, 0);
FIELD(attest_ceiling_values, f32_fma_flops, 8);
FIELD(attest_ceiling_values, bf16_dot_flops, 16);
FIELD(attest_ceiling_values, read_bytes_per_second, 24);
SIZE(attest_ceiling_values, 32);

FIELD(attest_ceiling, size, 0);
FIELD(attest_ceiling, measure, 8);
SIZE(attest_ceiling, 16);

VALUE(ATTEST_OK, 0);
VALUE(ATTEST_UNSUPPORTED, 1);
VALUE(ATTEST_OUT_OF_MEMORY, 2);
VALUE(ATTEST_DEVICE_ERROR, 3);
VALUE(ATTEST_INTERNAL_ERROR, 4);
VALUE(ATTEST_F32, 1);
VALUE(ATTEST_F16, 2);
VALUE(ATTEST_BF16, 3);
VALUE(ATTEST_F64, 4);
VALUE(ATTEST_I64, 5);
VALUE(ATTEST_BOOL, 6);
VALUE(ATTEST_FORMAT_NONE, 0);
VALUE(ATTEST_FORMAT_F64, 1);
VALUE(ATTEST_FORMAT_F32, 2);
VALUE(ATTEST_FORMAT_TF32, 3);
VALUE(ATTEST_FORMAT_F16, 4);
VALUE(ATTEST_FORMAT_BF16, 5);
VALUE(ATTEST_OP_SDPA, 1);
VALUE(ATTEST_OP_SELF_ATTENTION, 2);
VALUE(ATTEST_ROLE_Q, 1);
VALUE(ATTEST_ROLE_K, 2);
VALUE(ATTEST_ROLE_V, 3);
VALUE(ATTEST_ROLE_MASK, 4);
VALUE(ATTEST_ROLE_KV_LENGTHS, 5);
VALUE(ATTEST_ROLE_X, 6);
VALUE(ATTEST_ROLE_X_KV, 7);
VALUE(ATTEST_ROLE_WQ, 8);
VALUE(ATTEST_ROLE_WK, 9);
VALUE(ATTEST_ROLE_WV, 10);
VALUE(ATTEST_ROLE_WO, 11);
VALUE(ATTEST_ROLE_BQ, 12);
VALUE(ATTEST_ROLE_BK, 13);
VALUE(ATTEST_ROLE_BV, 14);
VALUE(ATTEST_ROLE_BO, 15);
VALUE(ATTEST_ROLE_OUT, 16);
VALUE(ATTEST_ROLE_LSE, 17);
VALUE(ATTEST_ROLE_WEIGHTS, 18);
VALUE(ATTEST_MASK_NONE, 0);
VALUE(ATTEST_MASK_BOOLEAN, 1);
VALUE(ATTEST_MASK_ADDITIVE, 2);
VALUE(ATTEST_STRUCTURE_FULL, 0);
VALUE(ATTEST_STRUCTURE_TIED_QK, 1);
VALUE(ATTEST_STRUCTURE_PARAMETER_FREE, 2);
VALUE(ATTEST_STRUCTURE_MEAN_POOL, 3);
VALUE(ATTEST_OUTPUT_LSE, 1);
VALUE(ATTEST_OUTPUT_WEIGHTS, 2);
VALUE(ATTEST_DEVICE_CPU, 1);
VALUE(ATTEST_DEVICE_GPU, 2);
VALUE(ATTEST_DEVICE_ACCELERATOR, 3);
VALUE(ATTEST_CONTRACT_NONDETERMINISTIC, 1);
VALUE(ATTEST_CONTRACT_MASKED_NAN_SAFE, 2);
VALUE(ATTEST_CONTRACT_FLUSHES_SUBNORMALS, 4);
VALUE(ATTEST_TIMER_COLD, 0);
VALUE(ATTEST_TIMER_HOT, 1);
VALUE(ATTEST_TIMER_GRAPH, 2);
VALUE(ATTEST_ABI_MAJOR, 1);
VALUE(ATTEST_ABI_MINOR, 2);
VALUE(ATTEST_ABI_VERSION, 0x10002);
VALUE(ATTEST_MAX_RANK, 6);
// clang-format on

// The same function type as a plugin in C declares it.
ATTEST_EXPORT const attest_backend* attest_backend_entry(uint32_t host_abi_version);
const attest_backend* attest_backend_entry(uint32_t host_abi_version) {
  (void)host_abi_version;
  return NULL;
}

int main(void) {
  attest_backend_entry_fn entry = attest_backend_entry;
  return entry(ATTEST_ABI_VERSION) == NULL ? 0 : 1;
}
