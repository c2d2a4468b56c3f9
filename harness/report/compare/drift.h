// SPDX-License-Identifier: Apache-2.0
//
// The change of the machine between two reports, told from the backends themselves. Within a round
// all backends of a cell run one after the other, so what slows the machine slows them all; a
// change of one backend does not show in the others. The control of a result is the median change
// of the *other* backends on the same cell (a backend's variants share their library and count as
// one), among devices that share what disturbs them: a graphics card does not feel a busy host.
// Without two other backends nothing can be told, and the control is 0.
#ifndef ATTEST_HARNESS_REPORT_COMPARE_DRIFT_H_
#define ATTEST_HARNESS_REPORT_COMPARE_DRIFT_H_

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace attest::report {

inline constexpr size_t kFewestControls = 2;

class DriftControl {
 public:
  // One entry for each compared result: the results of a cell side by side, in them those of a
  // domain, in them those of a backend.
  struct Place {
    size_t cell = 0, backend = 0;
    size_t domain = 0;  // devices that share what disturbs them
  };
  explicit DriftControl(std::span<const Place> places);

  // The control of each value, to `controls` of the same length; where a cell has too few backends,
  // the median of the domain's others. Returns that median for each domain, nullopt where no cell
  // of it has enough.
  std::vector<std::optional<double>> Controls(std::span<const double> changes,
                                              std::span<double> controls) const;

 private:
  struct Range {
    size_t first = 0, last = 0;
    size_t domain = 0;
    size_t size() const { return last - first; }
  };
  std::vector<Range> groups_;  // of results: one backend on one cell
  std::vector<Range> cells_;   // of groups: one domain on one cell
  size_t domains_ = 0;
};

}  // namespace attest::report

#endif  // ATTEST_HARNESS_REPORT_COMPARE_DRIFT_H_
