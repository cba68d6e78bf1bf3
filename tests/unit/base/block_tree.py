#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The hash tree of core/base/block_tree.h, written anew from its description. Without arguments it prints the table of known answers
of test_block_tree.c; with the path of that file it checks that the table there is this one."""
import hashlib
import re
import sys

BLOCK = 262144
LENGTHS = [0, 1, 255, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, 3 * BLOCK, 3 * BLOCK + 17, 5 * BLOCK, 8 * BLOCK, 13 * BLOCK + 4096]


def content(length):
    """Byte i is the low byte of i * 2654435761 >> 13: no two blocks alike."""
    return bytes((i * 2654435761 >> 13) & 255 for i in range(length))


def sha(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def top(leaves):
    if not leaves:
        return sha()
    if len(leaves) == 1:
        return leaves[0]
    left = 1
    while left * 2 < len(leaves):
        left *= 2
    return sha(b"\x01", top(leaves[:left]), top(leaves[left:]))


def root(data):
    leaves = [sha(b"\x00", data[at:at + BLOCK]) for at in range(0, len(data), BLOCK)]
    return sha(b"\x02", b"millrace-tree-1", BLOCK.to_bytes(8, "little"), len(data).to_bytes(8, "little"), top(leaves)).hex()


def main():
    data = content(max(LENGTHS))
    table = [(length, root(data[:length])) for length in LENGTHS]
    if len(sys.argv) < 2:
        for length, digest in table:
            print(f'    {{{length}, "sha256:{digest}"}},')
        return 0
    with open(sys.argv[1], encoding="utf-8") as source:
        found = [(int(length), digest) for length, digest in re.findall(r'\{(\d+), "sha256:([0-9a-f]{64})"\}', source.read())]
    if found != table:
        print(f"{sys.argv[1]} has other answers than {sys.argv[0]} gives", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
