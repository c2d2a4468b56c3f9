// SPDX-License-Identifier: Apache-2.0
#include "harness/judge/worker_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <system_error>
#include <vector>

extern char** environ;

namespace attest::judge {
namespace {

constexpr size_t kLogTailBytes = 2000;
using Clock = std::chrono::steady_clock;

// What the worker sees: its socket is 3, its control page 4, its output the pipe.
constexpr int kSocket = 3, kControl = 4;

struct FileActions {
  FileActions() { posix_spawn_file_actions_init(&actions); }
  ~FileActions() { posix_spawn_file_actions_destroy(&actions); }
  posix_spawn_file_actions_t actions;
};

// posix_spawn's dup2 onto the same number would leave close-on-exec set: move it out of the way
// first.
int Above(int fd, int floor) { return fcntl(fd, F_DUPFD_CLOEXEC, floor); }

pid_t Spawn(const std::string& executable, const Environment& changes, int socket, int control,
            int log) {
  Descriptor high_socket(Above(socket, 10)), high_control(Above(control, 10)),
      high_log(Above(log, 10));
  FileActions files;
  posix_spawn_file_actions_addopen(&files.actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&files.actions, high_log.get(), 1);
  posix_spawn_file_actions_adddup2(&files.actions, high_log.get(), 2);
  posix_spawn_file_actions_adddup2(&files.actions, high_socket.get(), kSocket);
  posix_spawn_file_actions_adddup2(&files.actions, high_control.get(), kControl);
  std::string arguments[] = {executable, "--socket-fd", std::to_string(kSocket), "--control-fd",
                             std::to_string(kControl)};
  char* argv[] = {arguments[0].data(), arguments[1].data(), arguments[2].data(),
                  arguments[3].data(), arguments[4].data(), nullptr};
  pid_t pid = -1;
  std::vector<std::string> variables = Changed(environ, changes);
  std::vector<char*> pointers;
  for (std::string& variable : variables) pointers.push_back(variable.data());
  pointers.push_back(nullptr);
  const int error =
      posix_spawn(&pid, executable.c_str(), &files.actions, nullptr, argv, pointers.data());
  if (error != 0)
    throw std::runtime_error(
        fmt::format("cannot start the worker {}: {}", executable, std::strerror(error)));
  return pid;
}

std::string SignalName(int signal) {
  const char* name = sigabbrev_np(signal);
  return name != nullptr ? fmt::format("SIG{}", name) : fmt::format("signal {}", signal);
}

}  // namespace

WorkerProcess::WorkerProcess(const std::string& executable, const Environment& changes) {
  auto [mine, theirs] = protocol::Channel::Pair();
  channel_ = std::make_unique<protocol::Channel>(std::move(mine));
  control_ = std::make_unique<Buffer>(sizeof(protocol::ControlPage));
  int pipe_ends[2];
  if (pipe2(pipe_ends, O_CLOEXEC | O_NONBLOCK) != 0)
    throw std::system_error(errno, std::generic_category(), "pipe2");
  log_ = Descriptor(pipe_ends[0]);
  Descriptor log_writer(pipe_ends[1]);
  fcntl(log_writer.get(), F_SETFL, 0);  // the worker's prints block rather than fail
  pid_ = Spawn(executable, changes, theirs.fd(), control_->shareable(), log_writer.get());
}

WorkerProcess::~WorkerProcess() {
  if (pid_ <= 0) return;
  kill(pid_, SIGKILL);
  Reap();
}

int WorkerProcess::Reap() {
  int status = 0;
  while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  return status;
}

void WorkerProcess::Sleep() {
  if (pid_ > 0) kill(pid_, SIGSTOP);
}
void WorkerProcess::Wake() {
  if (pid_ > 0) kill(pid_, SIGCONT);
}

protocol::Reply WorkerProcess::Ask(const protocol::Request& request, double timeout_seconds,
                                   std::span<const int> descriptors) {
  if (pid_ <= 0) throw WorkerLost(report::Verdict::kError, "the worker is gone");
  const uint64_t id = next_id_++;
  try {
    channel_->Send(protocol::Encode(id, request), descriptors);
  } catch (const std::system_error& error) {
    if (error.code().value() == EPIPE || error.code().value() == ECONNRESET) ReportDeath();
    throw;
  }
  if (!WaitForReply(timeout_seconds)) ReportTimeout(timeout_seconds);
  return Receive(id);
}

protocol::Reply WorkerProcess::Receive(uint64_t id) {
  std::optional<protocol::Packet> packet;
  try {
    packet = channel_->Receive();
  } catch (const std::system_error&) {  // reset by a peer that died with our request unread
  }
  if (!packet) ReportDeath();
  uint64_t reply_id = 0;
  try {
    protocol::Reply reply = protocol::DecodeReply(packet->text, &reply_id);
    if (reply_id == id) return reply;
  } catch (const std::invalid_argument& error) {
    throw WorkerLost(report::Verdict::kError,
                     fmt::format("the worker does not keep the protocol: {}", error.what()));
  }
  throw WorkerLost(
      report::Verdict::kError,
      fmt::format("the worker does not keep the protocol: reply {} to request {}", reply_id, id));
}

bool WorkerProcess::WaitForReply(double timeout_seconds) {
  const auto end = Clock::now() + std::chrono::duration<double>(timeout_seconds);
  pollfd files[2] = {{channel_->fd(), POLLIN, 0}, {log_.get(), POLLIN, 0}};
  for (;;) {
    const double left = std::chrono::duration<double>(end - Clock::now()).count();
    if (left <= 0) return false;
    const int ready = poll(files, 2, static_cast<int>(std::min(left * 1000 + 1, 1e9)));
    if (ready < 0 && errno != EINTR)
      throw std::system_error(errno, std::generic_category(), "poll");
    if (ready <= 0) continue;
    if (files[1].revents & POLLIN)
      DrainLog();
    else if (files[1].revents & POLLHUP)
      files[1].fd = -1;  // closed its output: no more to hear
    if (files[0].revents != 0) return true;
  }
}

void WorkerProcess::DrainLog() {
  char text[4096];
  for (ssize_t got; (got = read(log_.get(), text, sizeof text)) > 0;) {
    log_tail_.append(text, static_cast<size_t>(got));
    if (log_tail_.size() > kLogTailBytes) log_tail_.erase(0, log_tail_.size() - kLogTailBytes);
    if (got < static_cast<ssize_t>(sizeof text)) break;
  }
}

std::string WorkerProcess::LastWords() {
  DrainLog();
  while (!log_tail_.empty() && std::isspace(static_cast<unsigned char>(log_tail_.back())))
    log_tail_.pop_back();
  return log_tail_.empty() ? "" : fmt::format("; its output ends with: {}", log_tail_);
}

void WorkerProcess::ReportTimeout(double timeout_seconds) {
  const auto* page = reinterpret_cast<const protocol::ControlPage*>(control_->data());
  const std::string phase(protocol::PhaseName(page->phase));
  kill(pid_, SIGKILL);
  Reap();
  throw WorkerLost(report::Verdict::kTimeout, fmt::format("timeout after {:g} s in {}{}",
                                                          timeout_seconds, phase, LastWords()));
}

void WorkerProcess::ReportDeath() {
  const auto* page = reinterpret_cast<const protocol::ControlPage*>(control_->data());
  const std::string phase(protocol::PhaseName(page->phase));
  kill(pid_, SIGKILL);  // the socket is closed: if it still lives, it does not serve us; a zombie
                        // ignores this
  const int status = Reap();
  std::string reason;
  if (WIFSIGNALED(status)) {
    reason = fmt::format("{} in {}", SignalName(WTERMSIG(status)), phase);
    if (page->signal != 0 && page->address != 0)
      reason += fmt::format(" at address {:#x} ({})", page->address,
                            page->is_write == 1   ? "write"
                            : page->is_write == 0 ? "read"
                                                  : "access");
  } else {
    reason = fmt::format("exited with status {} in {}", WEXITSTATUS(status), phase);
  }
  throw WorkerLost(report::Verdict::kCrash, reason + LastWords());
}

}  // namespace attest::judge
