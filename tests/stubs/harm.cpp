// SPDX-License-Identifier: Apache-2.0
//
// One function of each kind of harm; the faults are named in CMakeLists.txt.
#include "harm.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <string>

#if defined(__SSE__)
#include <xmmintrin.h>
#endif

#include "fault.h"

namespace stubs {
namespace {

volatile float g_sink;
void* volatile g_bad_address = reinterpret_cast<void*>(16);  // volatile: compilers warn, else

float* Begin(const attest_tensor& tensor) { return static_cast<float*>(tensor.data); }
float* End(const attest_tensor& tensor) {
  return Begin(tensor) + tensor.extent_bytes / sizeof(float);
}

// Shrinks every shared tensor that it finds a way to: open descriptors, then (as root) mappings.
void TruncateAll() {
  for (const std::string folder : {"/proc/self/fd/", "/proc/self/map_files/"}) {
    DIR* list = opendir(folder.c_str());
    if (list == nullptr) continue;
    while (const dirent* entry = readdir(list)) {
      const std::string path = folder + entry->d_name;
      char target[256] = "";
      if (readlink(path.c_str(), target, sizeof target - 1) < 0) continue;
      if (std::strstr(target, "memfd:") == nullptr) continue;
      const int fd = open(path.c_str(), O_RDWR);
      if (fd < 0) continue;
      if (ftruncate(fd, 0) == 0) std::fprintf(stderr, "truncated %s\n", path.c_str());
      close(fd);
    }
    closedir(list);
  }
}

void PrintGarbage() {
  std::fputs("{\"id\": 1, \"status\": \"ok\"}\n\x01\xff garbage\n", stdout);
  std::fflush(stdout);
}

void FlushToZero() {
#if defined(__SSE__)
  _mm_setcsr(_mm_getcsr() | 0x8040);
#endif
}

}  // namespace

bool HarmBefore(const attest_tensor& q, const attest_tensor& k, const attest_tensor& out) {
  if (Is("empty") || Is("writes_nothing")) return true;
  if (Is("aborts")) std::abort();
  if (Is("exits")) std::exit(0);
  if (Is("hangs"))
    while (true) sleep(1000);
  if (Is("segfaults")) *static_cast<volatile int*>(g_bad_address) = 1;
  if (Is("writes_input")) *static_cast<volatile float*>(Begin(q)) = 1;
  if (Is("reads_past_end"))  // as far as a kernel that reads whole blocks of 128 rows may go
    for (int i = 0; i < 64; ++i) g_sink = static_cast<volatile float*>(End(k))[i];
  if (Is("writes_past_end")) *static_cast<volatile float*>(End(out)) = 1;
  if (Is("writes_before_start")) *static_cast<volatile float*>(Begin(out) - 1) = 1;
  if (Is("truncates_output")) TruncateAll();
  if (Is("prints_garbage")) PrintGarbage();
  if (Is("flush_to_zero_in_run")) FlushToZero();
  if (Is("all_zeros")) {
    std::memset(out.data, 0, out.extent_bytes);
    return true;
  }
  return false;
}

void HarmAfter(const attest_tensor& out) {
  float* last = End(out) - 1;
  if (Is("returns_nan")) *last = std::numeric_limits<float>::quiet_NaN();
  if (Is("one_wrong_element")) *last = *last * 1.01f + 0.01f;
}

void HarmAtLoad() {
  if (Is("prints_garbage")) PrintGarbage();
}

}  // namespace stubs
