// SPDX-License-Identifier: Apache-2.0
//
// Building and caching. The cache is an optimisation: nothing that goes wrong with a cache file is
// an error, the program is then built from source. The key is a hash of everything that the binary
// depends on; the file is written under another name and renamed, so a reader sees all or none.
#include "program.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "attest/backend.hpp"
#include "error.h"

namespace attest::opencl {
namespace {

// The host cuts messages; the first lines of a compiler's log hold the first error.
constexpr size_t kMaxLogCharacters = 2000;

std::string Pasted(const std::vector<std::string>& files) {
  std::string text;
  for (const std::string& name : files) {
    const KernelFile* file = kKernelFiles;
    while (file->name != nullptr && name != file->name) ++file;
    if (file->name == nullptr) throw std::invalid_argument("no embedded kernel file " + name);
    text += "#line 1 \"" + name + "\"\n" + file->text;
  }
  return text;
}

// FNV-1a, 64 bits: http://www.isthe.com/chongo/tech/comp/fnv/
std::string HashOf(const std::string& text) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (const unsigned char byte : text) hash = (hash ^ byte) * 0x100000001b3u;
  char hex[17];
  std::snprintf(hex, sizeof hex, "%016llx", static_cast<unsigned long long>(hash));
  return hex;
}

std::filesystem::path CachePath(const cl::Device& device, const std::string& source,
                                const std::string& options, const std::string& directory) {
  const std::string key = source + '\0' + options + '\0' + device.getInfo<CL_DEVICE_NAME>() + '\0' +
                          device.getInfo<CL_DEVICE_VERSION>() + '\0' +
                          device.getInfo<CL_DRIVER_VERSION>();
  return std::filesystem::path(directory) / ("opencl-" + HashOf(key) + ".bin");
}

// A null program where there is no usable binary.
cl::Program FromCache(const cl::Context& context, const cl::Device& device,
                      const std::filesystem::path& path, const std::string& options) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return {};
  const std::vector<unsigned char> bytes{std::istreambuf_iterator<char>(file), {}};
  try {
    cl::Program program(context, {device}, {bytes});
    program.build({device}, options.c_str());
    return program;
  } catch (const cl::Error&) {
    return {};
  }
}

void ToCache(const cl::Program& program, const std::filesystem::path& path) {
  try {
    const auto binaries = program.getInfo<CL_PROGRAM_BINARIES>();
    if (binaries.size() != 1 || binaries[0].empty()) return;
    std::error_code ignored;
    std::filesystem::create_directories(path.parent_path(), ignored);
    std::filesystem::path partial = path;
    partial += '.';
    partial += std::to_string(getpid());
    std::ofstream file(partial, std::ios::binary);
    file.write(reinterpret_cast<const char*>(binaries[0].data()),
               static_cast<std::streamsize>(binaries[0].size()));
    file.close();
    if (file.good())
      std::filesystem::rename(partial, path, ignored);
    else
      std::filesystem::remove(partial, ignored);
  } catch (const cl::Error&) {
    return;  // a driver that gives no binaries is only slower
  }
}

std::string LogOf(const cl::Program& program, const cl::Device& device) {
  try {
    std::string log = program.getBuildInfo<CL_PROGRAM_BUILD_LOG>(device);
    log.resize(std::min(log.size(), kMaxLogCharacters));
    return log;
  } catch (const cl::Error&) {
    return "the driver gives no log";
  }
}

cl::Program FromSource(const cl::Context& context, const cl::Device& device,
                       const std::string& source, const std::string& options) {
  cl::Program program(context, source);
  try {
    program.build({device}, options.c_str());
  } catch (const cl::Error& error) {
    throw DeviceError("clBuildProgram with \"" + options + "\": " + CodeName(error.err()) + ": " +
                      LogOf(program, device));
  }
  return program;
}

}  // namespace

cl::Program BuildProgram(const cl::Context& context, const cl::Device& device,
                         const std::vector<std::string>& files, const std::string& options,
                         const std::string& cache_directory) {
  const std::string source = Pasted(files);
  if (cache_directory.empty()) return FromSource(context, device, source, options);
  const std::filesystem::path path = CachePath(device, source, options, cache_directory);
  cl::Program program = FromCache(context, device, path, options);
  if (program() != nullptr) return program;
  program = FromSource(context, device, source, options);
  ToCache(program, path);
  return program;
}

}  // namespace attest::opencl
