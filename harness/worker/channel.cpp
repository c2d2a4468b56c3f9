// SPDX-License-Identifier: Apache-2.0
//
// Packets over sendmsg(2) and recvmsg(2), descriptors in SCM_RIGHTS (unix(7), cmsg(3)).
#include "harness/worker/channel.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <stdexcept>
#include <system_error>

#include "harness/worker/protocol.h"

namespace attest::protocol {
namespace {

[[noreturn]] void Fail(const char* call) {
  throw std::system_error(errno, std::generic_category(), call);
}

// A packet may be larger than the default buffer. The kernel caps the wish at net.core.wmem_max.
void WidenBuffer(int socket) {
  const int bytes = 2 * static_cast<int>(kMaxMessageBytes);
  (void)setsockopt(socket, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
}

std::vector<Descriptor> TakeDescriptors(msghdr& header) {
  std::vector<Descriptor> descriptors;
  for (cmsghdr* part = CMSG_FIRSTHDR(&header); part; part = CMSG_NXTHDR(&header, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int fd;
      std::memcpy(&fd, CMSG_DATA(part) + i * sizeof fd, sizeof fd);
      descriptors.emplace_back(fd);
    }
  }
  return descriptors;
}

}  // namespace

std::pair<Channel, Channel> Channel::Pair() {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) Fail("socketpair");
  WidenBuffer(ends[0]);
  WidenBuffer(ends[1]);
  return {Channel(Descriptor(ends[0])), Channel(Descriptor(ends[1]))};
}

void Channel::Send(std::string_view text, std::span<const int> descriptors) const {
  if (descriptors.size() > kMaxDescriptors)
    throw std::length_error("more than 253 descriptors in one message: attach in several");
  iovec bytes{const_cast<char*>(text.data()), text.size()};
  msghdr header{};
  header.msg_iov = &bytes;
  header.msg_iovlen = 1;
  std::vector<char> control(CMSG_SPACE(descriptors.size_bytes()));
  if (!descriptors.empty()) {
    header.msg_control = control.data();
    header.msg_controllen = control.size();
    cmsghdr* part = CMSG_FIRSTHDR(&header);
    part->cmsg_level = SOL_SOCKET;
    part->cmsg_type = SCM_RIGHTS;
    part->cmsg_len = CMSG_LEN(descriptors.size_bytes());
    std::memcpy(CMSG_DATA(part), descriptors.data(), descriptors.size_bytes());
  }
  ssize_t sent;
  do {
    sent = sendmsg(socket_.get(), &header, MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0) Fail("sendmsg on the worker's socket");
}

std::optional<Packet> Channel::Receive() const {
  ssize_t size;  // asked for first: a fixed buffer of the largest size would count as memory used
  do {
    size = recv(socket_.get(), nullptr, 0, MSG_PEEK | MSG_TRUNC);
  } while (size < 0 && errno == EINTR);
  if (size == 0 || (size < 0 && errno == ECONNRESET)) return std::nullopt;
  if (size < 0) Fail("recv on the worker's socket");
  Packet packet;
  packet.text.resize(std::min(static_cast<size_t>(size), kMaxMessageBytes));
  iovec bytes{packet.text.data(), packet.text.size()};
  std::vector<char> control(CMSG_SPACE(kMaxDescriptors * sizeof(int)));
  msghdr header{};
  header.msg_iov = &bytes;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  ssize_t received;
  do {
    received = recvmsg(socket_.get(), &header, MSG_CMSG_CLOEXEC);
  } while (received < 0 && errno == EINTR);
  if (received == 0 || (received < 0 && errno == ECONNRESET)) return std::nullopt;
  if (received < 0) Fail("recvmsg on the worker's socket");
  packet.descriptors = TakeDescriptors(header);
  if (header.msg_flags & (MSG_TRUNC | MSG_CTRUNC))
    throw std::length_error("a message over 1 MiB or with more than 253 descriptors");
  packet.text.resize(static_cast<size_t>(received));
  return packet;
}

bool Channel::WaitReadable(double seconds) const {
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + std::chrono::duration<double>(seconds);
  pollfd wait{socket_.get(), POLLIN, 0};
  while (true) {
    const double left = std::chrono::duration<double>(end - Clock::now()).count();
    // Rounded up, so that the last millisecond does not spin; at most an hour a call.
    const int milliseconds = seconds < 0 ? -1
                             : left <= 0 ? 0
                                         : static_cast<int>(std::min(left, 3600.) * 1e3) + 1;
    const int ready = poll(&wait, 1, milliseconds);
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) Fail("poll on the worker's socket");
    if (ready == 0 && seconds >= 0 && Clock::now() >= end) return false;
  }
}

}  // namespace attest::protocol
