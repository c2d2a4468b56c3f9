// SPDX-License-Identifier: Apache-2.0
//
// PNG is left to rsvg-convert, which draws text better than anything that would fit in here.
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <stdexcept>

#include "harness/explain/weights_svg.h"

namespace attest::explain {
namespace {

constexpr const char* kConverter = "rsvg-convert";

void WriteText(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << text;
  file.close();
  if (!file)
    throw std::invalid_argument(
        fmt::format("--weights {}: cannot be written: {}", path, std::strerror(errno)));
}

// The exit status of the converter, or -1 where it cannot be started.
int Convert(const std::string& svg_path, const std::string& png_path) {
  std::string words[] = {kConverter, "--zoom=2", "--output=" + png_path, svg_path};
  char* arguments[] = {words[0].data(), words[1].data(), words[2].data(), words[3].data(), nullptr};
  pid_t child = -1;
  if (posix_spawnp(&child, kConverter, nullptr, nullptr, arguments, environ) != 0) return -1;
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

void WritePng(const std::string& path, const std::string& svg) {
  const std::string beside = path + ".svg";
  WriteText(beside, svg);
  const int status = Convert(beside, path);
  std::remove(beside.c_str());
  if (status == 0) return;
  throw std::invalid_argument(
      status < 0 || status == 127
          ? fmt::format("--weights {}: {} is not installed: use a name that ends in .svg, or on "
                        "Debian: apt-get install librsvg2-bin",
                        path, kConverter)
          : fmt::format("--weights {}: {} failed; a name that ends in .svg needs no program", path,
                        kConverter));
}

}  // namespace

void WritePicture(const std::string& path, const std::string& svg) {
  if (path.ends_with(".svg")) return WriteText(path, svg);
  if (path.ends_with(".png")) return WritePng(path, svg);
  throw std::invalid_argument(
      fmt::format("--weights {}: the file's name must end in .svg or .png", path));
}

}  // namespace attest::explain
