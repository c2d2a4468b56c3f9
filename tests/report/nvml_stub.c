/* SPDX-License-Identifier: Apache-2.0
 *
 * What of NVML harness/report/nvml.cpp calls. Device 1 does not support power, ECC and MIG, and
 * this library has no nvmlDeviceGetMaxClockInfo, as an older one. */
#include <stddef.h>
#include <string.h>

#define STATUS_NOT_SUPPORTED 3
#define STATUS_DRIVER_NOT_LOADED 9

typedef struct {
  unsigned long long total, free, used;
} memory_info;

static const char kDevices[2];

static int is_first(const void* device) { return device == &kDevices[0]; }

static int write_text(const char* text, char* to, unsigned length) {
  strncpy(to, text, length);
  return 0;
}

static int write_if_first(const void* device, unsigned value, unsigned* to) {
  if (!is_first(device)) return STATUS_NOT_SUPPORTED;
  *to = value;
  return 0;
}

int nvmlInit_v2(void) { return STARTS ? 0 : STATUS_DRIVER_NOT_LOADED; }
int nvmlShutdown(void) { return 0; }
const char* nvmlErrorString(int status) {
  return status == STATUS_DRIVER_NOT_LOADED ? "Driver Not Loaded" : "?";
}
int nvmlSystemGetNVMLVersion(char* text, unsigned length) {
  return write_text("13.580.65", text, length);
}
int nvmlSystemGetDriverVersion(char* text, unsigned length) {
  return write_text("580.65", text, length);
}
int nvmlDeviceGetCount_v2(unsigned* count) {
  *count = 2;
  return 0;
}
int nvmlDeviceGetHandleByIndex_v2(unsigned index, const void** device) {
  *device = &kDevices[index];
  return 0;
}
int nvmlDeviceGetName(const void* device, char* text, unsigned length) {
  return write_text(is_first(device) ? "ACME 9" : "ACME 1", text, length);
}
int nvmlDeviceGetMemoryInfo(const void* device, memory_info* memory) {
  memory->total = is_first(device) ? 1ull << 37 : 1ull << 30;
  return 0;
}
int nvmlDeviceGetPowerManagementLimit(const void* device, unsigned* milliwatts) {
  return write_if_first(device, 700000, milliwatts);
}
int nvmlDeviceGetPowerUsage(const void* device, unsigned* milliwatts) {
  return write_if_first(device, 75500, milliwatts);
}
int nvmlDeviceGetTemperature(const void* device, int sensor, unsigned* celsius) {
  (void)device;
  *celsius = sensor == 0 ? 31 : 0;
  return 0;
}
int nvmlDeviceGetClockInfo(const void* device, int type, unsigned* megahertz) {
  (void)device;
  *megahertz = type == 1 ? 345 : type == 2 ? 3201 : 0;
  return 0;
}
int nvmlDeviceGetEccMode(const void* device, unsigned* current, unsigned* pending) {
  *pending = 0;
  return write_if_first(device, 1, current);
}
int nvmlDeviceGetMigMode(const void* device, unsigned* current, unsigned* pending) {
  *pending = 1;
  return write_if_first(device, 0, current);
}
