# SPDX-License-Identifier: Apache-2.0
"""Plots and one self-contained page from Attest's reports. Reads reports, measures nothing."""
