#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds the shape of the tree: who may include whom, which file knows which library, no backend
named by the harness, small files, no path of one machine.

Reads #include lines, string literals and line counts; it does not parse C++, so a name glued
together by macros escapes it. Rules: the tables below; layering_selftest.py plants one violation
of each and expects it to be found.

usage: check_layering.py ROOT. One line for each violation; exit code 1 if there is any.
"""
import os
import pathlib
import re
import subprocess
import sys

SOURCE_SUFFIXES = {".h", ".hpp", ".c", ".cpp", ".cl", ".cu", ".cuh"}
LINE_LIMIT = 400
LINE_LIMIT_SUFFIXES = SOURCE_SUFFIXES | {".py", ".cmake", ".sh", ""}
TOP_LEVEL = {"CMakeLists.txt", "CMakePresets.json", "LICENSE", "README.md",
             "backends", "harness", "reference", "results", "scripts", "tests"}

# Quoted includes that files of a folder may have, by prefix. The longest matching folder rules.
# Files beside the including one are always allowed.
CORE = ("attest/abi.h", "reference/", "harness/core/")
ALLOWED = {
    "backends/": ("attest/",),
    "reference/": ("attest/abi.h", "reference/"),
    "harness/core/": CORE,
    "harness/judge/": CORE + ("harness/judge/", "harness/worker/protocol.h", "harness/worker/channel.h",
                              "harness/report/model.h", "harness/report/scaling.h",
                              "harness/report/statistics.h"),  # the wire, plain structs, sums
    "harness/worker/": CORE + ("harness/worker/",),
    "harness/report/": CORE + ("harness/report/", "harness/worker/protocol.h"),
    "harness/vectors/": CORE + ("harness/vectors/",),
    "harness/explain/": CORE + ("harness/explain/", "harness/judge/", "harness/report/"),
    "harness/cli/": ("attest/abi.h", "reference/", "harness/"),
}

# The folders or files that may include a library's headers, by prefix of the header. Tests may all.
LIBRARIES = {
    "benchmark/": ("harness/worker/timing.cpp",),
    "nlohmann/": ("harness/report/", "harness/worker/protocol.cpp", "harness/explain/explanation_json.cpp",
                  "harness/explain/study_output.cpp", "harness/explain/values_file.cpp"),
    "pugixml": ("harness/report/",),
    "CLI/": ("harness/cli/",),
    "Eigen/": ("backends/eigen/",),
    "hwy/": ("backends/cpu/",),
    "oneapi/": ("backends/onednn/",),
    "dnnl": ("backends/onednn/",),
    "CL/": ("backends/opencl/",),
    "cuda": ("backends/cuda/",),
    "cublas": ("backends/cuda/",),
}
# Libraries that only one folder of the harness may know, whichever that is.
ONE_FOLDER = ("hwloc", "onnx/", "google/protobuf/")
# The one place where the harness may name a backend, exactly so: the default of --baseline.
BASELINE = "eigen:unfused"
# Backends whose name is also a word for the machine: only with a variant do they mean the backend.
MACHINE_WORDS = ("cpu",)

INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]', re.M)
LITERAL = re.compile(r'"((?:[^"\\\n]|\\.)*)"')
COMMENT = re.compile(r'//[^\n]*|/\*.*?\*/|("(?:[^"\\\n]|\\.)*")', re.S)
# Split, so that this file does not find itself.
MACHINE_PATH = re.compile(r"(?<![\w.$}*])/" + r"(?:home|root|work|Users|mnt|scratch)/\w+")


def list_files(root):
    """Paths relative to root: what git tracks or would track, or everything in a plain folder."""
    if (root / ".git").exists():
        listing = subprocess.run(["git", "-C", root, "ls-files", "-co", "--exclude-standard", "-z"],
                                 check=True, capture_output=True, text=True).stdout
        return sorted(name for name in listing.split("\0") if name and (root / name).is_file())
    found = []
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if not re.match(r"build|\.|__pycache__", name)]
        found += [os.path.relpath(os.path.join(folder, name), root) for name in names]
    return sorted(found)


def includes(text):
    """(is_quoted, header) of each #include."""
    return [(quote == '"', header) for quote, header in INCLUDE.findall(text)]


def literals(text):
    """String literals outside comments and #include lines."""
    code = COMMENT.sub(lambda match: match.group(1) or " ", INCLUDE.sub("", text))
    return LITERAL.findall(code)


def rule_of(path):
    """The longest folder of ALLOWED that holds the file, or None."""
    matching = [folder for folder in ALLOWED if path.startswith(folder)]
    return max(matching, key=len) if matching else None


def check_direction(root, path, text):
    rule = rule_of(path)
    for quoted, header in includes(text):
        first_party = quoted or re.match(r"(attest|backends|harness|reference|tests)/", header)
        if rule is None or not first_party:
            continue
        beside = (root / path).parent / header
        own = beside.is_file() and ".." not in header
        if not own and not header.startswith(ALLOWED[rule]):
            yield f"{path}: {rule} may not include {header}"


def check_libraries(path, text):
    if path.startswith("tests/"):
        return
    for _, header in includes(text):
        for library, owners in LIBRARIES.items():
            if header.startswith(library) and not path.startswith(owners):
                yield f"{path}: only {' and '.join(owners)} may include {header}"


def check_one_folder(sources):
    for library in ONE_FOLDER:
        folders = {os.path.dirname(path) for path, text in sources.items()
                   if path.startswith("harness/") and
                   any(header.startswith(library) for _, header in includes(text))}
        if len(folders) > 1:
            yield f"{', '.join(sorted(folders))}: {library} is known by more than one folder"


def check_backend_names(sources, names):
    """No string literal of the harness names a backend, but for the one default baseline."""
    words = (re.escape(name) + (r"(?=:\w)" if name in MACHINE_WORDS else "") for name in names)
    pattern = re.compile(r"(?<![\w-])(?:" + "|".join(words) + r")(?![\w-])")
    baselines = []
    for path, text in sources.items():
        for literal in literals(text) if path.startswith("harness/") and names else []:
            if literal == BASELINE:
                baselines.append(path)
            elif pattern.search(literal):
                yield f'{path}: the harness names a backend: "{literal}"'
    if len(baselines) > 1:
        yield f'{", ".join(baselines)}: "{BASELINE}" stands in more than one place'


NO_PLUGIN = "harness/report/nvml.cpp"  # opens a driver's library, which only describes the machine


def check_loading(path, text):
    if path == NO_PLUGIN:
        return
    if path.startswith("harness/") and not path.startswith("harness/worker/"):
        if re.search(r"\bdlopen\s*\(", "".join(re.split(r"//[^\n]*", text))):
            yield f"{path}: only the worker loads plugins (dlopen)"


def check_text(path, text):
    """Rules for every text file of ours."""
    suffix = pathlib.PurePath(path).suffix
    lines = text.count("\n")
    if suffix in LINE_LIMIT_SUFFIXES and path != "LICENSE" and lines > LINE_LIMIT:
        yield f"{path}: {lines} lines, more than {LINE_LIMIT}"
    found = MACHINE_PATH.search(text)
    if found and not path.startswith("results/"):
        yield f"{path}: a path of one machine: {found.group()}"
    if suffix in SOURCE_SUFFIXES | {".py"} and "SPDX-License-Identifier: Apache-2.0" not in text[:200]:
        yield f"{path}: no SPDX-License-Identifier line on top"


def check(root):
    """All violations below root, as lines of text, and the number of source files read."""
    violations, sources = [], {}
    paths = list_files(root)
    for top in sorted({path.split("/")[0] for path in paths}):
        if top not in TOP_LEVEL and not top.startswith("."):
            violations.append(f"{top}: not one of the entries that the top level may have")
    for path in paths:
        try:
            text = (root / path).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # an image
        violations += check_text(path, text)
        if pathlib.PurePath(path).suffix in SOURCE_SUFFIXES:
            sources[path] = text
    for path, text in sources.items():
        violations += check_direction(root, path, text)
        violations += check_libraries(path, text)
        violations += check_loading(path, text)
    names = sorted({path.split("/")[1] for path in paths if path.count("/") >= 2 and
                    path.startswith("backends/")} - {"include"})
    violations += check_one_folder(sources)
    violations += check_backend_names(sources, names)
    return violations, len(sources)


def main():
    violations, count = check(pathlib.Path(sys.argv[1]).resolve())
    print("\n".join(violations + [f"{count} source files, {len(violations)} violations"]))
    if count == 0:
        sys.exit("no source file found: nothing was checked")
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
