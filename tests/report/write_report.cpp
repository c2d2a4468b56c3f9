// SPDX-License-Identifier: Apache-2.0
//
// write_report FILE SLOWDOWN SEED: the fixture's report as a file, for readers that are not ours.
#include <cstdlib>
#include <iostream>

#include "harness/report/files.h"
#include "harness/report/json.h"
#include "tests/report/fixture.h"

int main(int argc, char** argv) {
  if (argc != 4) {
    std::cerr << "usage: write_report FILE SLOWDOWN SEED\n";
    return 2;
  }
  const attest::report::Report report =
      attest::report::MakeReport(std::atof(argv[2]), std::strtoull(argv[3], nullptr, 10));
  attest::report::WriteAtomically(argv[1], attest::report::WriteJson(report));
}
