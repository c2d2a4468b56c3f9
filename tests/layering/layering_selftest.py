#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""check_layering.py finds every kind of violation, and finds none in a tree that keeps the rules.

Each case is a small tree with one planted violation; exactly that one has to be reported.
"""
import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import check_layering  # noqa: E402

SPDX = "// SPDX-License-Identifier: Apache-2.0\n"
CLEAN = {
    "CMakeLists.txt": "project(Tree)\n",
    "backends/include/attest/abi.h": SPDX + "#include <stdint.h>\n",
    "backends/fast/fast.cpp": SPDX + '#include <fastlib.h>\n#include "attest/backend.hpp"\n#include "tile.h"\n',
    "backends/fast/tile.h": SPDX,
    "backends/cpu/cpu.cpp": SPDX + "#include <hwy/highway.h>\n",
    "reference/oracle.h": SPDX + '#include "attest/abi.h"\n',
    "harness/core/cell.h": SPDX + '#include "reference/oracle.h"\n',
    "harness/worker/timing.cpp": SPDX + "#include <benchmark/benchmark.h>\nvoid F() { dlopen(0, 0); }\n",
    "harness/worker/protocol.h": SPDX,
    "harness/judge/round.cpp": SPDX + '#include "harness/worker/protocol.h"\n// the fast backend\nauto s = "cpu";\n',
    "harness/cli/run.cpp": SPDX + '#include <CLI/CLI.hpp>\nconst char* b = "eigen:unfused";\n',
    "tests/core/cell_test.cpp": SPDX + '#include "harness/core/cell.h"\n#include <nlohmann/json.hpp>\n',
}

# (file, text that is added to it or makes it, part of the one expected report)
PLANTED = [
    ("backends/fast/fast.cpp", '#include "harness/core/cell.h"\n', "may not include harness/core/cell.h"),
    ("backends/fast/fast.cpp", '#include "reference/oracle.h"\n', "may not include reference/oracle.h"),
    ("backends/fast/fast.cpp", "#include <reference/oracle.h>\n", "may not include reference/oracle.h"),
    ("backends/fast/fast.cpp", '#include "../slow/slow.h"\n', "may not include ../slow/slow.h"),
    ("reference/oracle.h", '#include "harness/core/cell.h"\n', "reference/ may not include"),
    ("reference/oracle.h", '#include "attest/backend.hpp"\n', "may not include attest/backend.hpp"),
    ("harness/core/cell.h", '#include "harness/judge/round.h"\n', "harness/core/ may not include"),
    ("harness/judge/round.cpp", '#include "harness/worker/host.h"\n', "harness/judge/ may not include"),
    ("harness/judge/round.cpp", '#include "harness/cli/run.h"\n', "harness/judge/ may not include"),
    ("harness/judge/round.cpp", '  #  include "attest/backend.hpp"\n', "harness/judge/ may not include"),
    ("harness/judge/round.cpp", "#include <nlohmann/json.hpp>\n", "may include nlohmann/json.hpp"),
    ("harness/worker/host.cpp", SPDX + "#include <benchmark/benchmark.h>\n", "only harness/worker/timing.cpp"),
    ("harness/core/cell.h", "#include <CLI/CLI.hpp>\n", "only harness/cli/ may include"),
    ("harness/core/cell.h", "#include <Eigen/Core>\n", "only backends/eigen/ may include"),
    ("harness/judge/round.cpp", 'auto s = "fast";\n', 'names a backend: "fast"'),
    ("harness/judge/round.cpp", 'auto s = "use fast:flash@1";\n', "names a backend"),
    ("harness/judge/round.cpp", 'auto s = "cpu:flash";\n', 'names a backend: "cpu:flash"'),
    ("harness/judge/round.cpp", 'auto s = "eigen:unfused";\n', "stands in more than one place"),
    ("harness/judge/round.cpp", "void G() { dlopen(0, 1); }\n", "only the worker loads plugins"),
    ("harness/judge/round.cpp", "\n" * 400, "more than 400"),
    ("harness/judge/two.cpp", "int x;\n", "no SPDX-License-Identifier"),
    ("notes.txt", "text\n", "notes.txt: not one of the entries"),
    ("reference/README.md", "see /ho" + "me/someone/x\n", "a path of one machine: /ho" + "me/someone"),
]


def run(extra):
    """Violations of the clean tree with files added or lengthened, and the number of sources."""
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        for files in (CLEAN, extra):
            for name, text in files.items():
                path = root / name
                path.parent.mkdir(parents=True, exist_ok=True)
                with path.open("a", encoding="utf-8") as stream:
                    stream.write(text)
        return check_layering.check(root)


class Layering(unittest.TestCase):
    def test_clean_tree_has_no_violation(self):
        self.assertEqual(run({}), ([], 11))

    def test_every_planted_violation_is_found_alone(self):
        for name, text, expected in PLANTED:
            with self.subTest(file=name, text=text[:60]):
                violations, _ = run({name: text})
                self.assertEqual(len(violations), 1, violations)
                self.assertIn(expected, violations[0])

    def test_one_folder_per_library(self):
        both = {"harness/core/cell.h": "#include <hwloc.h>\n", "harness/judge/round.cpp": "#include <hwloc.h>\n"}
        self.assertEqual(len(run(both)[0]), 1)
        both.popitem()
        self.assertEqual(run(both)[0], [])


if __name__ == "__main__":
    unittest.main()
