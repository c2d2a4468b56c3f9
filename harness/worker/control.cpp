// SPDX-License-Identifier: Apache-2.0
//
// Signal handlers do no more than stores and async-signal-safe calls (signal-safety(7)).
#include "harness/worker/control.h"

#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <array>
#include <cerrno>
#include <system_error>

namespace attest::worker {
namespace {

constexpr std::array<int, 5> kSignals = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
constexpr size_t kStackBytes = 64 << 10;  // libraries' handlers that we chain to print traces

protocol::ControlPage g_private_page{};
volatile protocol::ControlPage* g_page = &g_private_page;
std::array<struct sigaction, kSignals.size()> g_previous{};
uintptr_t g_last_address = 0;
volatile sig_atomic_t g_repeats = 0;

// 1 write, 0 read, 2 unknown: from the page fault's error code, where the machine gives one.
uint32_t FaultIsWrite(int signal, const void* context) {
#if defined(__x86_64__)
  constexpr greg_t kPageFault = 14, kWriteBit = 2;
  const auto& registers = static_cast<const ucontext_t*>(context)->uc_mcontext.gregs;
  if ((signal == SIGSEGV || signal == SIGBUS) && registers[REG_TRAPNO] == kPageFault)
    return registers[REG_ERR] & kWriteBit ? 1 : 0;
#else
  (void)signal;
  (void)context;
#endif
  return 2;
}

void DieByDefault(int signal, const siginfo_t* info) {
  struct sigaction action {};
  action.sa_handler = SIG_DFL;
  sigaction(signal, &action, nullptr);
  // A hardware fault comes again when the instruction is retried; a sent signal has to be sent
  // again.
  if (info->si_code <= 0) raise(signal);
}

void OnCrash(int signal, siginfo_t* info, void* context) {
  const auto address = reinterpret_cast<uintptr_t>(info->si_addr);
  g_page->signal = static_cast<uint32_t>(signal);
  g_page->address = signal == SIGABRT ? 0 : address;
  g_page->is_write = FaultIsWrite(signal, context);
  size_t index = 0;
  while (kSignals[index] != signal) ++index;
  const struct sigaction& previous = g_previous[index];
  // A library's handler that returned without mending anything would be called for ever.
  g_repeats = address == g_last_address ? g_repeats + 1 : 0;
  g_last_address = address;
  const bool has_handler = previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN;
  if (!has_handler || g_repeats > 1) return DieByDefault(signal, info);
  if (previous.sa_flags & SA_SIGINFO)
    previous.sa_sigaction(signal, info, context);
  else
    previous.sa_handler(signal);
}

void GiveAlternateStack() {
  static char* stack = static_cast<char*>(
      mmap(nullptr, kStackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  stack_t alternate{};
  if (stack == MAP_FAILED || sigaltstack(nullptr, &alternate) != 0) return;
  if (!(alternate.ss_flags & SS_DISABLE)) return;  // ours already, or a library's: as good
  alternate = {};
  alternate.ss_sp = stack;
  alternate.ss_size = kStackBytes;
  sigaltstack(&alternate, nullptr);
}

}  // namespace

void MapControlPage(int fd) {
  void* page =
      mmap(nullptr, sizeof(protocol::ControlPage), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (page == MAP_FAILED)
    throw std::system_error(errno, std::generic_category(), "mmap of the control page");
  g_page = static_cast<volatile protocol::ControlPage*>(page);
}

volatile protocol::ControlPage& Control() { return *g_page; }

void InstallCrashHandlers() {
  GiveAlternateStack();
  for (size_t i = 0; i < kSignals.size(); ++i) {
    struct sigaction current {};
    sigaction(kSignals[i], nullptr, &current);
    if ((current.sa_flags & SA_SIGINFO) && current.sa_sigaction == OnCrash) continue;
    g_previous[i] = current;
    struct sigaction ours {};
    ours.sa_sigaction = OnCrash;
    ours.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigemptyset(&ours.sa_mask);
    sigaction(kSignals[i], &ours, nullptr);
  }
}

}  // namespace attest::worker
