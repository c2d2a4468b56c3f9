# SPDX-License-Identifier: Apache-2.0
"""Backends in Python: a worker that speaks Attest's worker protocol (version 1), which the harness
describes in PROTOCOL.md, and the backends that use it (peers/). A backend is a class derived from
`attest_worker.backend.Backend`; peers/numpy.py is the worked example. Standard library and
numpy."""
