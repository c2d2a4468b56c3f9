# SPDX-License-Identifier: Apache-2.0
"""One module for each backend, named as the backend; each has `BACKEND`, its class."""
