// SPDX-License-Identifier: Apache-2.0
//
// An OpenCL driver with one platform and no device (extension cl_khr_icd, the functions that the
// loader and a search for devices call).
#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>
#include <CL/cl_icd.h>

#include <cstring>

struct _cl_platform_id {
  cl_icd_dispatch* dispatch;
};

namespace {

cl_int CL_API_CALL PlatformInfo(cl_platform_id, cl_platform_info name, size_t capacity, void* value,
                                size_t* size) {
  const char* text = "test";
  if (name == CL_PLATFORM_NAME) text = "Deviceless";
  if (name == CL_PLATFORM_VERSION) text = "OpenCL 1.2 test";
  if (name == CL_PLATFORM_EXTENSIONS) text = "cl_khr_icd";
  if (name == CL_PLATFORM_PROFILE) text = "FULL_PROFILE";
  const size_t needed = std::strlen(text) + 1;
  if (size != nullptr) *size = needed;
  if (value == nullptr) return CL_SUCCESS;
  if (capacity < needed) return CL_INVALID_VALUE;
  std::memcpy(value, text, needed);
  return CL_SUCCESS;
}

cl_int CL_API_CALL DeviceIds(cl_platform_id, cl_device_type, cl_uint, cl_device_id*,
                             cl_uint* count) {
  if (count != nullptr) *count = 0;
  return CL_DEVICE_NOT_FOUND;
}

cl_int CL_API_CALL PlatformIds(cl_uint capacity, cl_platform_id* platforms, cl_uint* count) {
  static cl_icd_dispatch dispatch = [] {
    cl_icd_dispatch table{};
    table.clGetPlatformInfo = PlatformInfo;
    table.clGetDeviceIDs = DeviceIds;
    return table;
  }();
  static _cl_platform_id platform = {&dispatch};
  if (count != nullptr) *count = 1;
  if (platforms != nullptr && capacity > 0) platforms[0] = &platform;
  return CL_SUCCESS;
}

}  // namespace

extern "C" {

CL_API_ENTRY void* CL_API_CALL clGetExtensionFunctionAddress(const char* name) {
  if (std::strcmp(name, "clIcdGetPlatformIDsKHR") == 0) return reinterpret_cast<void*>(PlatformIds);
  if (std::strcmp(name, "clGetPlatformInfo") == 0) return reinterpret_cast<void*>(PlatformInfo);
  return nullptr;
}

CL_API_ENTRY cl_int CL_API_CALL clGetPlatformInfo(cl_platform_id platform, cl_platform_info name,
                                                  size_t capacity, void* value, size_t* size) {
  return PlatformInfo(platform, name, capacity, value, size);
}

}  // extern "C"
