// SPDX-License-Identifier: Apache-2.0
//
// One end of the worker protocol's socket: whole messages with file descriptors, nothing about
// their meaning. Used by both sides. SOCK_SEQPACKET, so that a packet is a message and the death of
// the peer is an end of file.
#ifndef ATTEST_HARNESS_WORKER_CHANNEL_H_
#define ATTEST_HARNESS_WORKER_CHANNEL_H_

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "harness/core/descriptor.h"

namespace attest::protocol {

struct Packet {
  std::string text;
  std::vector<Descriptor> descriptors;  // close-on-exec, in the sender's order
};

class Channel {
 public:
  static constexpr size_t kMaxDescriptors = 253;  // the kernel's limit for one packet (SCM_MAX_FD)

  explicit Channel(Descriptor socket) : socket_(std::move(socket)) {}

  // Two connected ends, both close-on-exec. Throws std::system_error.
  static std::pair<Channel, Channel> Pair();

  // Sends one packet; the descriptors stay the caller's. Throws std::system_error (EPIPE: the peer
  // is gone; EMSGSIZE: larger than the socket takes).
  void Send(std::string_view text, std::span<const int> descriptors = {}) const;

  // The next packet; std::nullopt at the end of file, which a dead peer gives too. Throws
  // std::system_error, and std::length_error for a packet over kMaxMessageBytes.
  std::optional<Packet> Receive() const;

  // True as soon as Receive would not wait; false after that time (< 0: wait for ever).
  bool WaitReadable(double seconds) const;

  int fd() const { return socket_.get(); }

 private:
  Descriptor socket_;
};

}  // namespace attest::protocol

#endif  // ATTEST_HARNESS_WORKER_CHANNEL_H_
