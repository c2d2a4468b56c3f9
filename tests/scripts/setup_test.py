#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""scripts/setup: quiet and fast where all is there, the exact apt line and exit code 2 where an
administrator is needed, one retry of apt-get update, a Python environment made again only when its
requirements changed.

Each test runs a copy of the script in a folder of its own, with dpkg-query, apt-get, id, sudo and
python3 replaced by stubs on PATH; nothing is installed.
"""
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "skips"))
import skips

SETUP = ROOT / "scripts" / "setup"

# Answers for the packages in $INSTALLED, or for all it is asked about.
DPKG_QUERY = """
shift
for package in "$@"; do
  case $package in -*) continue ;; esac
  if [ "$INSTALLED" = all ] || case " $INSTALLED " in *" $package "*) true ;; *) false ;; esac
  then printf 'installed:%s ' "$package"; fi
done
"""
# Fails as often as $UPDATE_FAILURES says.
APT_GET = """
echo "$@" >>"$CALLS"
case "$*" in *update*)
  count=$(grep -c update "$CALLS")
  if [ "$count" -le "${UPDATE_FAILURES:-0}" ]; then echo "no route to mirror"; exit 100; fi ;;
esac
case "$*" in *install*) if [ -n "${INSTALL_FAILS:-}" ]; then echo "no such package"; exit 100; fi ;; esac
"""
# Makes environments whose python is this stub, and plays pip.
PYTHON = """
echo "$@" >>"$CALLS"
case "$*" in
  *"-m venv"*) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
  *"-m pip"*) if [ -n "${PIP_FAILS:-}" ]; then echo "no index"; exit 1; fi ;;
esac
"""


class Setup(unittest.TestCase):
    def setUp(self):
        self.root = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.root)
        (self.root / "scripts").mkdir()
        shutil.copy(SETUP, self.root / "scripts" / "setup")
        (self.root / "scripts" / "requirements.txt").write_text("numpy\n")
        self.calls = self.root / "calls"
        self.calls.touch()
        for name, body in {"dpkg-query": DPKG_QUERY, "apt-get": APT_GET, "python3": PYTHON,
                           "id": "echo ${USER_ID:-1000}", "sudo": "exit 1"}.items():
            stub = self.root / "bin" / name
            stub.parent.mkdir(exist_ok=True)
            stub.write_text("#!/bin/sh\n" + body)
            stub.chmod(0o755)

    def run_setup(self, *arguments, **environment):
        path = f"{self.root / 'bin'}:/usr/bin:/bin"
        return subprocess.run([self.root / "scripts" / "setup", *arguments], text=True,
                              capture_output=True, check=False, cwd="/",
                              env={"PATH": path, "CALLS": str(self.calls), **environment})

    def apt_calls(self):
        return self.calls.read_text().splitlines()

    def test_second_run_prints_nothing_and_is_fast(self):
        first = self.run_setup(INSTALLED="all")
        self.assertEqual(first.returncode, 0, first.stderr)
        self.assertIn("making .venv", first.stderr)
        self.calls.write_text("")
        start = time.monotonic()
        second = self.run_setup(INSTALLED="all")
        seconds = time.monotonic() - start
        self.assertEqual((second.returncode, second.stdout, second.stderr), (0, "", ""))
        self.assertEqual(self.apt_calls(), [], "a second run starts neither apt-get nor Python")
        self.assertLess(seconds, 1)

    def test_changed_requirements_make_the_environment_again(self):
        self.run_setup(INSTALLED="all")
        (self.root / "scripts" / "requirements.txt").write_text("scipy\n")
        self.assertIn("making .venv", self.run_setup(INSTALLED="all").stderr)
        self.assertEqual(self.run_setup(INSTALLED="all").stderr, "")

    def test_failed_pip_leaves_no_stamp(self):
        failed = self.run_setup(INSTALLED="all", PIP_FAILS="1")
        self.assertEqual(failed.returncode, 1)
        self.assertIn("no index", failed.stderr)
        self.assertIn("making .venv", self.run_setup(INSTALLED="all").stderr)

    def test_no_python_makes_no_environment(self):
        result = self.run_setup("--no-python", INSTALLED="all")
        self.assertEqual((result.returncode, result.stdout + result.stderr), (0, ""))
        self.assertFalse((self.root / ".venv").exists())

    def test_without_root_prints_the_line_and_exits_2(self):
        result = self.run_setup(INSTALLED="")
        self.assertEqual(result.returncode, 2)
        line = result.stdout.strip()
        self.assertRegex(line, r"^sudo apt-get install --no-install-recommends g\+\+ cmake .*python3-venv$")
        self.assertEqual(self.apt_calls(), [])
        self.assertFalse((self.root / ".venv").exists())

    def test_line_names_only_what_is_missing(self):
        everything = self.run_setup(INSTALLED="").stdout.split()[4:]
        self.assertGreater(len(everything), 20)
        kept = [package for package in everything if package not in ("libfmt-dev", "libdnnl-dev")]
        result = self.run_setup(INSTALLED=" ".join(kept))
        self.assertEqual(result.stdout, "sudo apt-get install --no-install-recommends libfmt-dev libdnnl-dev\n")

    def test_root_updates_then_installs(self):
        result = self.run_setup("--no-python", INSTALLED="", USER_ID="0")
        self.assertEqual(result.returncode, 0, result.stderr)
        update, install = self.apt_calls()
        self.assertTrue(update.endswith("update"))
        self.assertIn("install -y --no-install-recommends g++ cmake", install)

    def test_update_is_tried_twice(self):
        self.run_setup("--no-python", INSTALLED="", USER_ID="0", UPDATE_FAILURES="1")
        self.assertEqual(["update" in call for call in self.apt_calls()], [True, True, False])
        self.calls.write_text("")
        result = self.run_setup("--no-python", INSTALLED="", USER_ID="0", UPDATE_FAILURES="9")
        self.assertIn("apt-get update failed twice", result.stderr)
        self.assertEqual(["update" in call for call in self.apt_calls()], [True, True, False])

    def test_failed_installation_shows_why(self):
        result = self.run_setup(INSTALLED="", USER_ID="0", INSTALL_FAILS="1")
        self.assertEqual(result.returncode, 1)
        self.assertIn("no such package", result.stderr)

    def test_passwordless_sudo_is_used(self):
        (self.root / "bin" / "sudo").write_text('#!/bin/sh\nshift\nexec "$@"\n')
        result = self.run_setup("--no-python", INSTALLED="")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(len(self.apt_calls()), 2)

    def test_never_names_cuda(self):
        self.assertNotRegex(self.run_setup(INSTALLED="").stdout, r"(?i)cuda|nvidia|cudnn|cublas")

    def test_this_machine(self):
        """With the machine's own package database: silent where all is there, in under a second."""
        for stub in ("dpkg-query", "id", "sudo", "python3"):
            (self.root / "bin" / stub).unlink()
        if not shutil.which("dpkg-query"):
            skips.skip("no Debian packages here")
        start = time.monotonic()
        result = self.run_setup("--no-python")
        seconds = time.monotonic() - start
        if self.apt_calls() or result.returncode == 2:
            skips.skip("this machine was not made ready by scripts/setup")
        self.assertEqual((result.returncode, result.stdout, result.stderr), (0, "", ""))
        self.assertLess(seconds, 1)

    def test_unknown_argument_and_help(self):
        self.assertEqual(self.run_setup("--nothing", INSTALLED="all").returncode, 2)
        self.assertIn("usage: scripts/setup", self.run_setup("--help").stdout)


if __name__ == "__main__":
    unittest.main()
