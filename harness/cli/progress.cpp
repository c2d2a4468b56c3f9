// SPDX-License-Identifier: Apache-2.0
#include "harness/cli/progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "harness/report/format.h"

namespace attest::cli {
namespace {

size_t TerminalWidth() {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col : 80;
}

std::string Place(const judge::Progress& progress) {
  return fmt::format("[{}/{}] {}", progress.cell + 1, progress.cells, progress.cell_id);
}

std::string Clock(const judge::Progress& progress) {
  std::string text = "  " + FormatDuration(progress.elapsed_seconds);
  if (progress.remaining_seconds > 0)
    text += ", about " + FormatDuration(progress.remaining_seconds) + " left";
  return text;
}

}  // namespace

ProgressLine::ProgressLine(bool quiet) : quiet_(quiet), terminal_(isatty(STDERR_FILENO) != 0) {}

void ProgressLine::Show(const judge::Progress& progress) {
  if (quiet_) return;
  const std::string clock = Clock(progress);
  if (terminal_) {
    const size_t width = TerminalWidth();
    const size_t room = width > clock.size() + 20 ? width - clock.size() - 1 : 20;
    const std::string text = Place(progress) + "  " + progress.label;
    fmt::print(stderr, "\r\033[K{}{}", report::Shorten(text, room), clock);
    shown_ = true;
  } else if (progress.cell != last_cell_) {
    fmt::print(stderr, "{}{}\n", Place(progress), clock);
  }
  last_cell_ = progress.cell;
  std::fflush(stderr);
}

void ProgressLine::Warn(const std::string& text) {
  Clear();
  fmt::print(stderr, "attest: {}\n", text);
}

void ProgressLine::Clear() {
  if (shown_) fmt::print(stderr, "\r\033[K");
  shown_ = false;
}

std::string FormatDuration(double seconds) {
  const int64_t whole = std::llround(seconds);
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{}:{:02}", whole / 60, whole % 60);
  return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
}

bool UseColor(const std::string& choice, int descriptor) {
  if (choice != "auto") return choice == "always";
  const char* no_color = std::getenv("NO_COLOR");  // no-color.org: set and not empty
  return isatty(descriptor) != 0 && (no_color == nullptr || *no_color == '\0');
}

}  // namespace attest::cli
