/* SPDX-License-Identifier: Apache-2.0
 *
 * Attest's plugin interface: what a self-attention backend gives to the host that measures it.
 *
 * C11, no dependency, nothing that is only Linux. A plugin is a shared library named
 * attest_<backend>.so that exports one symbol, attest_backend_entry. C++ authors include
 * attest/backend.hpp, which turns a class into this table.
 *
 * Rules for the whole file
 *   size         The first field of every struct is its size in bytes as the writer knew it. Fields
 * are only appended; a reader treats what lies beyond the writer's size as absent (zero). versions
 * A new major means a changed meaning: hosts and plugins of different majors refuse each other. A
 * new minor only appends. strings      UTF-8, zero-terminated, owned by whoever handed them out,
 * valid until the object they belong to is destroyed (backend strings: until the process ends).
 *   errors       Functions return an attest_status and may write a message. A plugin never exits,
 * aborts, prints or lets an exception cross this boundary. threads      The host calls from one
 * thread at a time. A plugin may start threads after configure. phases       [setup] is never
 * timed: compile, allocate, build primitives there. [timed] must not allocate, compile, log or copy
 * to the host. Work that depends on the values of Q, K or V (packing K, say) belongs to a [timed]
 * function.
 */
#ifndef ATTEST_ABI_H_
#define ATTEST_ABI_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ATTEST_ABI_MAJOR 1
#define ATTEST_ABI_MINOR 2
#define ATTEST_ABI_VERSION ((ATTEST_ABI_MAJOR << 16) | ATTEST_ABI_MINOR)
#define ATTEST_MAX_RANK 6

/* Statuses. `unsupported` is data, not a failure: the host records it with its message. */
enum {
  ATTEST_OK = 0,
  ATTEST_UNSUPPORTED =
      1, /* this backend, variant or device does not do that; the message says why */
  ATTEST_OUT_OF_MEMORY =
      2, /* host or device memory; the message gives bytes needed and had if known */
  ATTEST_DEVICE_ERROR =
      3, /* a driver or device call failed; the message holds the call and its own text */
  ATTEST_INTERNAL_ERROR = 4 /* anything else */
};
typedef int32_t attest_status;

/* Element types of tensors (io types). BOOL is one byte, 0 or 1. */
enum {
  ATTEST_F32 = 1,
  ATTEST_F16 = 2,
  ATTEST_BF16 = 3,
  ATTEST_F64 = 4,
  ATTEST_I64 = 5,
  ATTEST_BOOL = 6
};

/* Arithmetic formats of a contract. NONE: that step rounds nothing beyond the accumulation format.
 */
enum {
  ATTEST_FORMAT_NONE = 0,
  ATTEST_FORMAT_F64 = 1,
  ATTEST_FORMAT_F32 = 2,
  ATTEST_FORMAT_TF32 = 3,
  ATTEST_FORMAT_F16 = 4,
  ATTEST_FORMAT_BF16 = 5
};

/* Operations. A new one adds roles, not functions. */
enum {
  ATTEST_OP_SDPA = 1, /* OUT = softmax(mask(softcap(scale Q K^T))) V per batch entry and head */
  ATTEST_OP_SELF_ATTENTION =
      2 /* X -> Q, K, V by linear maps, split into heads, SDPA, optional output map */
};

/* Roles of tensors, with their logical shapes. Memory order is the strides' business: [B, H, L, d]
 * with strides of a [B, L, H, d] array is the BSNH layout. Broadcast is stride 0 (MASK only). */
enum {
  ATTEST_ROLE_Q = 1, /* [B, q_num_heads,  Lq, head_size]   */
  ATTEST_ROLE_K = 2, /* [B, kv_num_heads, Lk, head_size]   */
  ATTEST_ROLE_V = 3, /* [B, kv_num_heads, Lk, v_head_size] */
  ATTEST_ROLE_MASK =
      4, /* [B, q_num_heads,  Lq, Lk], BOOL (1 = attend) or the io type (added to scores) */
  ATTEST_ROLE_KV_LENGTHS = 5, /* [B], I64: valid keys of each batch entry */
  ATTEST_ROLE_X = 6,          /* [B, Lq, hidden_size] */
  ATTEST_ROLE_X_KV = 7,       /* [B, Lk, hidden_size] where is_cross is set */
  ATTEST_ROLE_WQ =
      8, /* [q_num_heads  * head_size,   hidden_size], as nn.Linear stores it: Q = X W^T + b */
  ATTEST_ROLE_WK = 9,   /* [kv_num_heads * head_size,   hidden_size] */
  ATTEST_ROLE_WV = 10,  /* [kv_num_heads * v_head_size, hidden_size] */
  ATTEST_ROLE_WO = 11,  /* [hidden_size, q_num_heads * v_head_size] */
  ATTEST_ROLE_BQ = 12,  /* [q_num_heads  * head_size]   */
  ATTEST_ROLE_BK = 13,  /* [kv_num_heads * head_size]   */
  ATTEST_ROLE_BV = 14,  /* [kv_num_heads * v_head_size] */
  ATTEST_ROLE_BO = 15,  /* [hidden_size] */
  ATTEST_ROLE_OUT = 16, /* sdpa: [B, q_num_heads, Lq, v_head_size];
                           self_attention: [B, Lq, hidden_size] with an output map, else
                           [B, Lq, q_num_heads * v_head_size] */
  ATTEST_ROLE_LSE = 17, /* [B, q_num_heads, Lq], F32 (F64 when the io type is F64): log of the sum
                           of exp(scores) */
  ATTEST_ROLE_WEIGHTS = 18 /* [B, q_num_heads, Lq, Lk], io type: the attention weights P */
};

enum { ATTEST_MASK_NONE = 0, ATTEST_MASK_BOOLEAN = 1, ATTEST_MASK_ADDITIVE = 2 };

enum {
  ATTEST_STRUCTURE_FULL = 0,
  ATTEST_STRUCTURE_TIED_QK = 1,
  ATTEST_STRUCTURE_PARAMETER_FREE = 2,
  ATTEST_STRUCTURE_MEAN_POOL = 3
};

/* Bits of attest_problem.outputs. OUT is always wanted. */
enum { ATTEST_OUTPUT_LSE = 1, ATTEST_OUTPUT_WEIGHTS = 2 };

/* One tensor. `data` is NULL wherever only the description matters (supports, plan_workspace,
 * plan_create). Host memory is 128-byte aligned. The margins before and after [data, data + extent)
 * belong to the host and hold its canary: nobody may read meaning into them, and a device backend
 * copies the outputs' margins with the data (see plan_bind). */
typedef struct attest_tensor {
  uint64_t size;
  int32_t role;
  int32_t dtype;
  int32_t rank;
  int32_t reserved;
  int64_t shape[ATTEST_MAX_RANK];
  int64_t strides[ATTEST_MAX_RANK]; /* in elements, >= 0 */
  void* data;
  uint64_t extent_bytes; /* from data to the end of the last element */
  uint64_t margin_before_bytes;
  uint64_t margin_after_bytes;
} attest_tensor;

/* What to compute. Field names are those of ONNX Attention (opset 25) where it has one. Lengths and
 * sizes are > 0. Visible pairs: key j is visible to query i of batch entry b iff all of these hold:
 *   is_causal:        j <= i + offset
 *   left_window_size  >= 0: j >= i + offset - left_window_size
 *   right_window_size >= 0: j <= i + offset + right_window_size
 *   has_kv_lengths:   j < KV_LENGTHS[b]
 *   boolean mask:     MASK[b, h, i, j] is 1
 * offset is causal_offset, or KV_LENGTHS[b] - q_sequence_length where has_kv_lengths is set.
 * Score: s = scale q.k; softcap > 0: s = softcap tanh(s / softcap); additive mask: s += MASK. A row
 * that sees no key (or only -inf) gives OUT = 0, WEIGHTS = 0, LSE = -inf.
 * Query head h reads kv head h / (q_num_heads / kv_num_heads). */
typedef struct attest_problem {
  uint64_t size;
  int32_t op;
  int32_t dtype; /* io type of every floating-point tensor but LSE */
  int64_t batch_size;
  int64_t q_num_heads;
  int64_t kv_num_heads; /* divides q_num_heads */
  int64_t q_sequence_length;
  int64_t kv_sequence_length;
  int64_t head_size;
  int64_t v_head_size;
  double scale;   /* always resolved by the host */
  double softcap; /* 0 = off */
  int32_t is_causal;
  int32_t attn_mask; /* ATTEST_MASK_* */
  int64_t causal_offset;
  int64_t left_window_size;  /* -1 = off */
  int64_t right_window_size; /* -1 = off */
  int32_t has_kv_lengths;
  uint32_t outputs; /* ATTEST_OUTPUT_* */
  /* self_attention only: Q = X WQ^T + BQ, K = Y WK^T + BK, V = Y WV^T + BV with Y = X_KV where
   * is_cross is set, else X (kv_sequence_length is q_sequence_length then). Columns
   * [h head_size, (h + 1) head_size) of a projection are head h. has_output_projection: OUT = O
   * WO^T
   * + BO of the heads' outputs side by side; else OUT is they. Tensors by structure:
   *   FULL            X, WQ, WK, WV
   *   TIED_QK         X, WQ, WV: K = Y WQ^T + BQ; kv_num_heads is q_num_heads
   *   PARAMETER_FREE  X: Q = X, K = V = Y; hidden_size is q_num_heads head_size, no biases, no WO
   *   MEAN_POOL       X, WV: as if Q were 0: every visible key has the same score before the mask
   * with is_cross X_KV, with has_bias one bias for each weight, with has_output_projection WO. */
  int64_t hidden_size;
  int32_t structure; /* ATTEST_STRUCTURE_* */
  int32_t has_bias;
  int32_t has_output_projection;
  int32_t is_cross; /* X_KV is given */
} attest_problem;

/* A problem on one variant, with the description of every tensor that plan_bind will give. */
typedef struct attest_plan_request {
  uint64_t size;
  const attest_problem* problem;
  const attest_tensor* const* tensors;
  uint32_t tensor_count;
  uint32_t variant; /* index into the variants */
} attest_plan_request;

/* A message buffer of the caller. The plugin writes at most capacity bytes with the final zero. */
typedef struct attest_message {
  uint64_t size;
  uint64_t capacity;
  char* text;
} attest_message;

/* Settings of the host, given before anything may start a thread. */
typedef struct attest_settings {
  uint64_t size;
  uint32_t threads;            /* threads that a host backend computes with, >= 1 */
  uint32_t device;             /* index of the device this process uses */
  const char* cache_directory; /* for compiled programs; NULL = do not cache */
} attest_settings;

enum { ATTEST_DEVICE_CPU = 1, ATTEST_DEVICE_GPU = 2, ATTEST_DEVICE_ACCELERATOR = 3 };

typedef struct attest_device_info {
  uint64_t size;
  const char* name;   /* as the driver names it */
  const char* driver; /* platform and driver version */
  int32_t kind;       /* ATTEST_DEVICE_* */
  int32_t reserved;
  uint64_t memory_bytes;  /* 0 = unknown */
  const char* extensions; /* of the driver, separated by spaces; NULL = none. Since 1.1 */
} attest_device_info;

typedef struct attest_backend_info {
  uint64_t size;
  const char* library;         /* what does the work: "oneDNN", "Eigen", ... */
  const char* library_version; /* asked at run time where the library can tell */
  const char* runtime;         /* its threading runtime: "OpenMP", "std::thread", "none", ... */
} attest_backend_info;

typedef struct attest_variant_info {
  uint64_t size;
  const char*
      name; /* [a-z0-9_]+, variants are listed alphabetically; "" for a backend with just one */
  const char* description; /* one line: the algorithm, and its memory in L */
  /* '|'-separated texts of which plan_info's implementation must hold one; NULL = any. Anything
   * else that ran is a silent fallback, which the host calls a failure. */
  const char* expected_implementations;
} attest_variant_info;

/* Flags of a contract. */
enum {
  ATTEST_CONTRACT_NONDETERMINISTIC = 1, /* reruns on the same inputs may differ within the bound */
  ATTEST_CONTRACT_MASKED_NAN_SAFE = 2,  /* NaN in masked K or V never reaches the output */
  ATTEST_CONTRACT_FLUSHES_SUBNORMALS =
      4 /* a weight below twice the accumulation format's least normal number may become 0 */
};

/* The arithmetic a variant promises for one io type; the error bound follows from it
 * (reference/README.md). Declaring a coarser format than what runs hides errors, a finer one makes
 * verification fail. */
typedef struct attest_contract {
  uint64_t size;
  int32_t accumulate; /* of both matmuls and of the softmax sums */
  int32_t
      operands;   /* what Q, K and V are rounded to on their way into a matmul; NONE = not at all */
  int32_t scores; /* in which the scores are stored between the steps; NONE = accumulate */
  int32_t probabilities;     /* in which P enters the second matmul; NONE = accumulate */
  double exp_relative_error; /* of its exp; 0 = 4 units of the accumulation format */
  uint32_t flags;
  /* Of self_attention: in which Q, K, V and the heads' outputs are stored between the linear maps
   * and the attention; NONE = accumulate. `operands` covers X, the weights and these, too. */
  int32_t projections;
} attest_contract;

/* What really ran, known after plan_create (and again, more exactly, after plan_run). */
typedef struct attest_plan_info {
  uint64_t size;
  const char* implementation; /* the library's own word (impl_info_str), ISA level, kernel name */
  uint64_t workspace_bytes;   /* host memory the plan holds beyond the tensors */
  uint64_t device_bytes; /* device memory the plan holds, tensors included; 0 for host backends */
} attest_plan_info;

typedef struct attest_plan attest_plan; /* opaque, the plugin's */

/* The backend's table. Static, immutable, never freed. Every function is required unless marked
 * optional. */
typedef struct attest_backend {
  uint32_t abi_version; /* ATTEST_ABI_VERSION the plugin was built with */
  uint32_t size;
  const char* name; /* [a-z0-9_]+, unique: the <backend> of attest_<backend>.so */

  /* Takes the host's settings. Called once, first, before anything may start a thread. [setup] */
  attest_status (*configure)(const attest_settings* settings, attest_message* message);

  /* Library and versions. Valid after configure. [setup] */
  attest_status (*backend_info)(attest_backend_info* info, attest_message* message);

  /* Number of devices in *count. UNSUPPORTED: the backend is unavailable here, the message says why
   * ("no CUDA driver"). Host backends have one device, the CPU. [setup] */
  attest_status (*device_count)(uint32_t* count, attest_message* message);
  attest_status (*device_info)(uint32_t device, attest_device_info* info, attest_message* message);

  /* Variants, alphabetical, at least one. [setup] */
  attest_status (*variant_count)(uint32_t* count, attest_message* message);
  attest_status (*variant_info)(uint32_t variant, attest_variant_info* info,
                                attest_message* message);

  /* The arithmetic of a variant for an io type. UNSUPPORTED: the variant does not have that io
   * type. [setup] */
  attest_status (*variant_contract)(uint32_t variant, int32_t dtype, attest_contract* contract,
                                    attest_message* message);

  /* OK or UNSUPPORTED with the reason; allocates nothing that lasts. [setup] */
  attest_status (*supports)(const attest_plan_request* request, attest_message* message);

  /* Bytes that plan_create will allocate on the host and on the device, before it does. [setup] */
  attest_status (*plan_workspace)(const attest_plan_request* request, uint64_t* host_bytes,
                                  uint64_t* device_bytes, attest_message* message);

  /* Makes a plan: compiles, allocates, builds primitives. On OK *plan is the caller's to destroy;
   * else it is NULL and nothing stays allocated. The request need not outlive the call. [setup] */
  attest_status (*plan_create)(const attest_plan_request* request, attest_plan** plan,
                               attest_message* message);

  /* Uses these tensors from now on: the described ones, in any order, now with data. Callable again
   * with others of the same description. The memory stays the host's and outlives the plan or the
   * next bind. Host backends keep the pointers and work in place. Device backends upload the
   * inputs, and the outputs with their margins as they are: what the host wrote there must be what
   * the kernel finds. [setup] */
  attest_status (*plan_bind)(attest_plan* plan, const attest_tensor* const* tensors,
                             uint32_t tensor_count, attest_message* message);

  /* Computes the outputs; may return before the work is finished. [timed] */
  attest_status (*plan_run)(attest_plan* plan, attest_message* message);

  /* Waits until all work started by plan_run is finished and its outputs are written. [timed] */
  attest_status (*plan_sync)(attest_plan* plan, attest_message* message);

  /* Brings the outputs, margins included, into the bound host memory. Host backends do nothing.
   * [setup] */
  attest_status (*plan_download)(attest_plan* plan, attest_message* message);

  attest_status (*plan_info)(attest_plan* plan, attest_plan_info* info, attest_message* message);

  /* Frees the plan; NULL is allowed. [setup] */
  void (*plan_destroy)(attest_plan* plan);

  /* A struct named by `name` ("attest.timer/1"), or NULL. Optional: the pointer may be NULL.
   * [setup] */
  const void* (*get_extension)(const char* name);
} attest_backend;

/* The one exported symbol: does no work, returns the static table, or NULL where the plugin cannot
 * serve a host of that version. */
typedef const attest_backend* (*attest_backend_entry_fn)(uint32_t host_abi_version);
#if defined(_WIN32)
#define ATTEST_EXPORT __declspec(dllexport)
#else
#define ATTEST_EXPORT __attribute__((visibility("default")))
#endif
#define ATTEST_ENTRY_SYMBOL "attest_backend_entry"

/* Extension "attest.timer/1": the device's own clock, for backends whose work runs elsewhere. */
#define ATTEST_TIMER_EXTENSION "attest.timer/1"
enum { ATTEST_TIMER_COLD = 0, ATTEST_TIMER_HOT = 1, ATTEST_TIMER_GRAPH = 2 };
typedef struct attest_timer {
  uint64_t size;
  /* Bits 1 << ATTEST_TIMER_*: the modes that work for the plan. */
  uint32_t (*modes)(attest_plan* plan);
  /* Runs the plan once in that mode, waits, and gives the seconds the device was at work. [timed]
   */
  attest_status (*run)(attest_plan* plan, int32_t mode, double* seconds, attest_message* message);
  /* Seconds the device was at work in the plan's latest plan_run and plan_sync, which the host has
   * timed by its own clock; 0 = unknown. For devices whose fair timer is the host's clock (modes
   * gives 0), so that what a launch costs can be seen. Optional: NULL. [setup] Since 1.2 */
  double (*last_seconds)(attest_plan* plan);
} attest_timer;

/* Extension "attest.ceiling/1": what the device could do at best, measured on it. 0 = not measured.
 */
#define ATTEST_CEILING_EXTENSION "attest.ceiling/1"
typedef struct attest_ceiling_values {
  uint64_t size;
  double f32_fma_flops;         /* FLOP/s, one fused multiply-add = 2 */
  double bf16_dot_flops;        /* FLOP/s */
  double read_bytes_per_second; /* from device memory */
} attest_ceiling_values;
typedef struct attest_ceiling {
  uint64_t size;
  attest_status (*measure)(uint32_t device, uint64_t footprint_bytes, attest_ceiling_values* values,
                           attest_message* message);
} attest_ceiling;

#ifdef __cplusplus
}
#endif
#endif /* ATTEST_ABI_H_ */
