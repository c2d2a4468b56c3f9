// SPDX-License-Identifier: Apache-2.0
//
// Files that are whole or not there: atomic replacement, and finding out early that writing will
// fail. Every failure is a std::runtime_error with the path and the system's own words.
#ifndef ATTEST_HARNESS_REPORT_FILES_H_
#define ATTEST_HARNESS_REPORT_FILES_H_

#include <string>
#include <string_view>

#include "harness/core/descriptor.h"

namespace attest::report {

// Throws unless a file at `path` can be made or replaced; leaves nothing behind and creates no
// folder.
void CheckWritable(const std::string& path);

// Replaces the file at `path` in one step: readers see the old content or the new, also after a
// crash. Follows a symbolic link, keeps the mode of a file that is there. What is no regular file
// (a pipe, /dev/stdout) is written to directly. On failure the old file is untouched.
void WriteAtomically(const std::string& path, std::string_view text);

std::string ReadFile(const std::string& path);

// open(2) with O_CLOEXEC; `verb` completes "cannot ... PATH".
Descriptor Open(const std::string& path, int flags, const char* verb);
// All of the text, however many calls it takes.
void WriteAll(int descriptor, std::string_view text, const std::string& path);
[[noreturn]] void FailWithErrno(const char* verb, const std::string& path);

}  // namespace attest::report

#endif  // ATTEST_HARNESS_REPORT_FILES_H_
