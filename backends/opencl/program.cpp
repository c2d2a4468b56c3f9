// SPDX-License-Identifier: Apache-2.0
//
// Building and caching. The cache is an optimisation: nothing that goes wrong with a cache file is
// an error, the program is then built from source. The key is a hash of everything that the binary
// depends on; the file is written under another name and renamed, so a reader sees all or none.
#include "program.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "attest/backend.hpp"
#include "error.h"

namespace attest::opencl {
namespace {

// The host cuts messages; the first lines of a compiler's log hold the first error.
constexpr size_t kMaxLogCharacters = 2000;
constexpr size_t kHashCharacters = 16;

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

// What a CPU device compiles for, which Intel's runtime does not name: in a cache that machines
// share it took the other one's binaries. Its own variable made binaries of half the speed stay.
std::string InstructionSets() {
  std::ifstream file("/proc/cpuinfo");
  std::string line;
  while (std::getline(file, line) && !line.starts_with("flags") && !line.starts_with("Features")) {
  }
  const char* chosen = std::getenv("CL_CONFIG_CPU_TARGET_ARCH");
  return HashOf(line) + ' ' + (chosen == nullptr ? "" : chosen);
}

// Everything that a binary depends on. An entry of the cache begins with it, so an entry of another
// device, driver or source is known whatever its name is.
std::string KeyOf(const cl::Device& device, const std::string& source, const std::string& options) {
  return "attest opencl program 2\n" + device.getInfo<CL_DEVICE_NAME>() + '\n' +
         device.getInfo<CL_DEVICE_VERSION>() + '\n' + device.getInfo<CL_DRIVER_VERSION>() + '\n' +
         InstructionSets() + '\n' + options + '\n' + HashOf(source) + '\n';
}

std::filesystem::path CachePath(const std::string& key, const std::string& directory) {
  return std::filesystem::path(directory) / ("opencl-" + HashOf(key) + ".bin");
}

// The binary of an entry: key, checksum, binary. Empty where it is cut, changed or another's.
std::vector<unsigned char> BinaryOf(const std::string& entry, const std::string& key) {
  const size_t header = key.size() + kHashCharacters;
  if (entry.size() <= header || entry.compare(0, key.size(), key) != 0) return {};
  const std::string binary = entry.substr(header);
  if (HashOf(binary) != entry.substr(key.size(), kHashCharacters)) return {};
  return {binary.begin(), binary.end()};
}

// A null program where there is no usable entry.
cl::Program FromCache(const cl::Context& context, const cl::Device& device,
                      const std::filesystem::path& path, const std::string& key,
                      const std::string& options) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return {};
  const std::vector<unsigned char> binary =
      BinaryOf({std::istreambuf_iterator<char>(file), {}}, key);
  if (binary.empty()) return {};
  try {
    cl::Program program(context, {device}, {binary});
    program.build({device}, options.c_str());
    return program;
  } catch (const cl::Error&) {
    return {};
  }
}

void ToCache(const cl::Program& program, const std::filesystem::path& path,
             const std::string& key) {
  try {
    const auto binaries = program.getInfo<CL_PROGRAM_BINARIES>();
    if (binaries.size() != 1 || binaries[0].empty()) return;
    const std::string binary(binaries[0].begin(), binaries[0].end());
    std::error_code ignored;
    std::filesystem::create_directories(path.parent_path(), ignored);
    std::filesystem::path partial = path;
    partial += '.';
    partial += std::to_string(getpid());
    std::ofstream file(partial, std::ios::binary);
    file << key << HashOf(binary) << binary;
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

// FNV-1a, 64 bits: http://www.isthe.com/chongo/tech/comp/fnv/
std::string HashOf(const std::string& text) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (const unsigned char byte : text) hash = (hash ^ byte) * 0x100000001b3u;
  char hex[kHashCharacters + 1];
  std::snprintf(hex, sizeof hex, "%016llx", static_cast<unsigned long long>(hash));
  return hex;
}

cl::Program BuildProgram(const cl::Context& context, const cl::Device& device,
                         const std::vector<std::string>& files, const std::string& options,
                         const std::string& cache_directory) {
  const std::string source = Pasted(files);
  if (cache_directory.empty()) return FromSource(context, device, source, options);
  const std::string key = KeyOf(device, source, options);
  const std::filesystem::path path = CachePath(key, cache_directory);
  cl::Program program = FromCache(context, device, path, key, options);
  if (program() != nullptr) return program;
  program = FromSource(context, device, source, options);
  ToCache(program, path, key);
  return program;
}

}  // namespace attest::opencl
