// SPDX-License-Identifier: Apache-2.0
//
// The usual write, fsync, rename, fsync of the folder; POSIX only.
#include "harness/report/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <stdexcept>

namespace attest::report {
namespace {

constexpr mode_t kNewFileMode = 0666;  // less the umask

std::string FolderOf(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path();
  return folder.empty() ? "." : folder;
}

// The file that a chain of links ends at, or the path itself.
std::string Target(const std::string& path) {
  std::error_code error;
  const std::filesystem::path resolved = std::filesystem::weakly_canonical(path, error);
  return error ? path : resolved.string();
}

std::string TemporaryName(const std::string& path) {
  return fmt::format("{}.{}.tmp", path, getpid());
}

void CheckFolder(const std::string& path) {
  struct stat status {};
  const std::string folder = FolderOf(path);
  if (stat(folder.c_str(), &status) != 0) {
    if (errno == ENOENT)
      throw std::runtime_error(
          fmt::format("cannot write {}: there is no folder {}; make it with: mkdir -p {}", path,
                      folder, folder));
    FailWithErrno("write", path);
  }
  if (!S_ISDIR(status.st_mode))
    throw std::runtime_error(fmt::format("cannot write {}: {} is not a folder", path, folder));
}

// True for what exists and is neither a regular file nor a folder.
bool IsSpecial(const std::string& path) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) return false;
  if (S_ISDIR(status.st_mode))
    throw std::runtime_error(
        fmt::format("cannot write {}: it is a folder; name a file in it", path));
  return !S_ISREG(status.st_mode);
}

void SyncFolder(const std::string& path) {
  const Descriptor folder = Open(FolderOf(path), O_RDONLY | O_DIRECTORY, "open the folder of");
  // Some file systems know no fsync of folders; there is nothing more to do on them.
  if (fsync(folder.get()) != 0 && errno != EINVAL) FailWithErrno("write", path);
}

void WriteTemporary(const std::string& temporary, const std::string& path, std::string_view text) {
  const Descriptor file = Open(temporary, O_WRONLY | O_CREAT | O_TRUNC, "write");
  struct stat status {};
  if (stat(path.c_str(), &status) == 0 && fchmod(file.get(), status.st_mode & 07777) != 0)
    FailWithErrno("set the mode of", temporary);
  WriteAll(file.get(), text, path);
  if (fsync(file.get()) != 0) FailWithErrno("write", path);
}

}  // namespace

void FailWithErrno(const char* verb, const std::string& path) {
  const int number = errno;
  throw std::runtime_error(fmt::format("cannot {} {}: {}", verb, path, std::strerror(number)));
}

Descriptor Open(const std::string& path, int flags, const char* verb) {
  const int number = open(path.c_str(), flags | O_CLOEXEC, kNewFileMode);
  if (number < 0) FailWithErrno(verb, path);
  return Descriptor(number);
}

void WriteAll(int descriptor, std::string_view text, const std::string& path) {
  while (!text.empty()) {
    const ssize_t written = write(descriptor, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) FailWithErrno("write", path);
    text.remove_prefix(static_cast<size_t>(written));
  }
}

void CheckWritable(const std::string& path) {
  if (path.empty()) throw std::runtime_error("the path of the report is empty");
  CheckFolder(path);
  const std::string target = Target(path);
  if (IsSpecial(target)) {
    Open(target, O_WRONLY, "write");
    return;
  }
  CheckFolder(target);
  const std::string temporary = TemporaryName(target);
  Open(temporary, O_WRONLY | O_CREAT | O_TRUNC, "write");
  if (unlink(temporary.c_str()) != 0) FailWithErrno("remove", temporary);
}

void WriteAtomically(const std::string& path, std::string_view text) {
  const std::string target = Target(path);
  if (IsSpecial(target)) {
    WriteAll(Open(target, O_WRONLY, "write").get(), text, path);
    return;
  }
  const std::string temporary = TemporaryName(target);
  try {
    WriteTemporary(temporary, target, text);
    if (rename(temporary.c_str(), target.c_str()) != 0) FailWithErrno("write", path);
  } catch (...) {
    unlink(temporary.c_str());
    throw;
  }
  SyncFolder(target);
}

std::string ReadFile(const std::string& path) {
  const Descriptor file = Open(path, O_RDONLY, "read");
  std::string text;
  char block[1 << 16];
  while (true) {
    const ssize_t count = read(file.get(), block, sizeof block);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) FailWithErrno("read", path);
    if (count == 0) return text;
    text.append(block, static_cast<size_t>(count));
  }
}

}  // namespace attest::report
