// SPDX-License-Identifier: Apache-2.0
#include "graph_verbose.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <stdexcept>
#include <vector>

namespace attest::onednn::graph {
namespace {

std::vector<std::string_view> Split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const size_t end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

using Fields = std::vector<std::string_view>;

// The number behind `key`, 0 where the field does not begin with it.
uint64_t NumberBehind(std::string_view key, std::string_view field) {
  uint64_t number = 0;
  if (field.starts_with(key))
    std::from_chars(field.data() + key.size(), field.data() + field.size(), number);
  return number;
}

// onednn_verbose,v1,graph,compile:cache_miss,cpu,ID,sdp,OPS,,TENSORS,fpm:strict,KERNEL,BACKEND,MS,
// since 3.13 with scratchpad:BYTES before KERNEL.
void ReadKernel(const Fields& fields, Dispatch& dispatch) {
  const bool compiled = std::any_of(fields.begin(), fields.end(),
                                    [](auto field) { return field.starts_with("compile"); });
  if (!compiled || fields.size() < 6) return;
  const std::string_view kernel = fields[fields.size() - 3];
  if (kernel.find(':') == std::string_view::npos) dispatch.kernels.emplace(kernel);
  for (std::string_view field : fields)
    dispatch.scratchpad_bytes += NumberBehind("scratchpad:", field);
}

// onednn_verbose,v1,primitive,create:cache_miss,cpu,matmul,brg_matmul:avx512_core,undef,...
void ReadPrimitive(const Fields& fields, Dispatch& dispatch) {
  const auto create = std::find_if(fields.begin(), fields.end(), [](auto field) {
    return field.starts_with("create:cache") || field.starts_with("create:from_cache");
  });
  if (fields.end() - create < 4) return;
  const std::string kind(create[2]);
  if (kind != "reorder") dispatch.primitives.insert(kind + " " + std::string(create[3]));
}

// onednn_verbose,v1,info,cpu,runtime:OpenMP,nthr:2
void ReadThreads(const Fields& fields, Dispatch& dispatch) {
  for (std::string_view field : fields)
    dispatch.threads += static_cast<unsigned>(NumberBehind("nthr:", field));
}

}  // namespace

bool Dispatch::has_reference() const {
  return std::any_of(primitives.begin(), primitives.end(), [](const std::string& primitive) {
    return primitive.starts_with("matmul ref") || primitive.starts_with("softmax ref");
  });
}

std::string Dispatch::Text() const {
  std::string text;
  for (const std::string& kernel : kernels) text += (text.empty() ? "" : " + ") + kernel;
  if (text.empty()) text = "kernel not told";
  std::string last;
  for (const std::string& primitive : primitives) {
    const std::string kind = primitive.substr(0, primitive.find(' '));
    text += kind == last ? " " : ", " + kind + ": ";
    text += primitive.substr(kind.size() + 1);
    last = kind;
  }
  return text;
}

Dispatch ParseVerbose(std::string_view lines) {
  Dispatch dispatch;
  for (std::string_view line : Split(lines, '\n')) {
    const Fields fields = Split(line, ',');
    if (fields[0] != "onednn_verbose") continue;
    const auto is = [&](std::string_view word) {
      return std::find(fields.begin(), fields.end(), word) != fields.end();
    };
    if (is("graph"))
      ReadKernel(fields, dispatch);
    else if (is("info"))
      ReadThreads(fields, dispatch);
    else
      ReadPrimitive(fields, dispatch);
  }
  return dispatch;
}

CaughtOutput::CaughtOutput()
    : file_(memfd_create("onednn", MFD_CLOEXEC)), standard_output_(dup(STDOUT_FILENO)) {
  std::fflush(stdout);
  if (file_ >= 0 && standard_output_ >= 0 && dup2(file_, STDOUT_FILENO) >= 0) return;
  close(file_);
  close(standard_output_);
  throw std::runtime_error("oneDNN's standard output could not be caught: no file descriptor");
}

CaughtOutput::~CaughtOutput() {
  std::fflush(stdout);
  dup2(standard_output_, STDOUT_FILENO);
  close(standard_output_);
  close(file_);
}

std::string CaughtOutput::Text() const {
  std::fflush(stdout);
  std::string text;
  char part[4096];
  for (ssize_t count;
       (count = pread(file_, part, sizeof part, static_cast<off_t>(text.size()))) > 0;)
    text.append(part, static_cast<size_t>(count));
  return text;
}

}  // namespace attest::onednn::graph
