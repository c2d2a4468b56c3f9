# SPDX-License-Identifier: Apache-2.0
"""Starts a worker in a Python that has its library."""
import argparse
import glob
import importlib.util
import os
import sys

# Read by the runtimes of numerical libraries when they are loaded.
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS",
                    "BLIS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "NUMEXPR_NUM_THREADS")
_RESTARTED = "ATTEST_WORKER_PYTHON"


def _has_package(environment, package):
    """Whether a virtual environment has a package; looks at folders, starts nothing."""
    return bool(glob.glob(os.path.join(environment, "lib*", "python*", "site-packages", package)))


def _move_to_environment(package, environments):
    """Goes on in the first virtual environment that has the package, if there is one: this process
    becomes its Python. It is tried once."""
    if os.environ.pop(_RESTARTED, None):
        return
    for environment in environments:
        python = os.path.join(environment, "bin", "python3")
        if os.path.realpath(environment) == os.path.realpath(sys.prefix):
            return
        if _has_package(environment, package) and os.access(python, os.X_OK):
            os.environ[_RESTARTED] = "1"
            os.execv(python, [python, *sys.argv])


def _make_backend(name, package, threads):
    from .protocol import Unavailable
    missing = None if importlib.util.find_spec(package) else package
    for variable in THREAD_VARIABLES:
        os.environ[variable] = str(threads)
    try:
        module = None if missing else importlib.import_module(f"{__package__}.peers.{name}")
    except ModuleNotFoundError as error:  # of something that the package needs
        missing = error.name
    if missing:
        raise Unavailable(f"no Python package {missing}: pip install {missing}, or scripts/peers")
    return module.BACKEND(threads)


def serve(name, make_backend):
    """Serves the judge that started this process with --socket-fd S --control-fd C, then ends it.
    `make_backend(threads)` returns a backend.Backend."""
    from .process import ControlPage, limit_life
    from .protocol import Channel
    from .session import Session
    parser = argparse.ArgumentParser(description=f"The worker of {name}, started by attest.")
    parser.add_argument("--socket-fd", type=int, required=True)
    parser.add_argument("--control-fd", type=int, required=True)
    arguments, _ = parser.parse_known_args()
    limit_life()
    page = ControlPage(arguments.control_fd)
    Session(name, make_backend, Channel(arguments.socket_fd), page).serve()
    sys.stdout.flush()
    os._exit(0)  # destructors of libraries that are still at work crash or hang


def launch(name, environments):
    """The worker of peers/<name>.py, whose library is the Python package of the same name. The
    first of the virtual environments that has it is used, else the Python that runs this;
    ATTEST_PEERS names one more, before them."""
    asked = os.environ.get("ATTEST_PEERS")
    _move_to_environment(name, ([asked] if asked else []) + environments)
    serve(name, lambda threads: _make_backend(name, name, threads))
