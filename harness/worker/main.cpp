// SPDX-License-Identifier: Apache-2.0
//
// attest-worker --socket-fd S --control-fd C: hosts one plugin for the judge that started it. Not
// for people; what it speaks is in PROTOCOL.md. Exit codes: 0 the judge quit or is gone, 1 the
// socket failed, 2 usage.
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <exception>
#include <string_view>

#include "harness/worker/control.h"
#include "harness/worker/session.h"
#include "harness/worker/timing.h"

namespace {

// The number after that option, or -1.
int DescriptorOf(int argc, char** argv, std::string_view option) {
  int fd = -1;
  for (int i = 1; i + 1 < argc; ++i)
    if (argv[i] == option) std::from_chars(argv[i + 1], argv[i + 1] + std::strlen(argv[i + 1]), fd);
  return fd;
}

// Workers do not outlive the judge, and a crash writes no core of all the tensors.
void LimitLife() {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  const rlimit no_core{0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
}

}  // namespace

int main(int argc, char** argv) {
  const int socket = DescriptorOf(argc, argv, "--socket-fd");
  const int control = DescriptorOf(argc, argv, "--control-fd");
  if (socket < 0 || control < 0) {
    std::fputs("usage: attest-worker --socket-fd S --control-fd C (started by attest)\n", stderr);
    return 2;
  }
  int exit_code = 0;
  try {
    attest::worker::ForgetTimingVariables(argv);
    LimitLife();
    attest::worker::MapControlPage(control);
    close(control);  // nothing that a plugin could truncate
    attest::worker::InstallCrashHandlers();
    attest::worker::Session session{attest::protocol::Channel(attest::Descriptor(socket))};
    session.Serve();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "attest-worker: %s\n", error.what());
    exit_code = 1;
  }
  std::fflush(nullptr);
  // Not exit: destructors of libraries that are still at work crash or hang there.
  _exit(exit_code);
}
