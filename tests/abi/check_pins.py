#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every struct, field, enumerator and numeric macro of abi.h is pinned in abi_layout.c, and every
pin is of something that is still there.

usage: check_pins.py ABI_HEADER LAYOUT_FILE. Exit code 1 with one line for each difference.
"""
import re
import sys

STRUCT = re.compile(r"typedef struct \w+ \{(.*?)\}\s*(\w+)\s*;", re.S)
ENUM = re.compile(r"\benum \{(.*?)\}\s*;", re.S)
MACRO = re.compile(r"^#define (ATTEST_\w+) \(*[\d(A]", re.M)
PIN = re.compile(r"^(FIELD|SIZE|VALUE)\((\w+), (\w+)", re.M)


def field_name(declaration):
    """Name declared by one member declaration, function pointers and arrays included."""
    function = re.search(r"\(\*(\w+)\)", declaration)
    return (function or re.search(r"(\w+)(?:\[\w+\])*$", declaration)).group(1)


def declared(header):
    """Set of what abi.h declares: (struct, field), (struct,) for sizes, and names of constants."""
    code = re.sub(r"/\*.*?\*/", "", header, flags=re.S)
    names = set(MACRO.findall(code)) - {"ATTEST_ABI_H_"}
    for body, struct in STRUCT.findall(code):
        names.add((struct,))
        for declaration in filter(None, map(str.strip, body.split(";"))):
            names.add((struct, field_name(declaration)))
    for body in ENUM.findall(code):
        names |= {item.split("=")[0].strip() for item in body.split(",") if item.strip()}
    return names


def pinned(layout):
    """The same set, of what abi_layout.c pins."""
    kinds = {"FIELD": lambda a, b: (a, b), "SIZE": lambda a, b: (a,), "VALUE": lambda a, b: a}
    return {kinds[kind](first, second) for kind, first, second in PIN.findall(layout)}


def main():
    with open(sys.argv[1], encoding="utf-8") as header, open(sys.argv[2], encoding="utf-8") as layout:
        expected, found = declared(header.read()), pinned(layout.read())
    if len(expected) < 100:
        sys.exit(f"only {len(expected)} names read from {sys.argv[1]}: the header was not understood")
    for name in sorted(map(str, expected - found)):
        print(f"not pinned in abi_layout.c: {name}")
    for name in sorted(map(str, found - expected)):
        print(f"pinned in abi_layout.c, but not in abi.h: {name}")
    print(f"{len(expected & found)} of {len(expected)} names pinned")
    return expected != found


if __name__ == "__main__":
    sys.exit(main())
