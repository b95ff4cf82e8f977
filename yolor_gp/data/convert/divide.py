"""Images divided into parts with the same classes in each; near duplicates stay together."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from yolor_gp.errors import UserError

_SIDE = 16
_ALIKE = 12
"""Of 256 comparisons of neighbouring grey values, so many differ at most between near duplicates:
the same scene a moment later, another size or compression of the same picture."""

_BITS = np.array([bin(value).count("1") for value in range(256)], np.uint8)


def picture_hash(path: str) -> NDArray[np.uint8]:
    """u8[32]: for 16 x 16 places whether the grey value rises to the right (a difference hash).

    Raises:
        UserError: When the picture cannot be read.
    """
    grey = cv2.imread(path, cv2.IMREAD_REDUCED_GRAYSCALE_4)
    if grey is None:
        grey = cv2.imread(path, cv2.IMREAD_GRAYSCALE)
    if grey is None:
        raise UserError(f"{path}: cannot be read; check_dataset.py says why")
    small = cv2.resize(grey, (_SIDE + 1, _SIDE), interpolation=cv2.INTER_AREA)
    return np.packbits(small[:, 1:] > small[:, :-1])


def alike_groups(hashes: NDArray[np.uint8]) -> NDArray[np.int64]:
    """The group of each picture, i64[N]: those connected by likeness have the same number."""
    parent = np.arange(len(hashes))

    def root(node: int) -> int:
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = int(parent[node])
        return node

    for index in range(1, len(hashes)):
        differing = _BITS[hashes[:index] ^ hashes[index]].sum(axis=1, dtype=np.int64)
        for other in np.flatnonzero(differing <= _ALIKE).tolist():
            parent[root(index)] = root(other)
    return np.array([root(index) for index in range(len(hashes))], np.int64)


def divided(
    counts: NDArray[np.int64], groups: NDArray[np.int64], shares: Sequence[float], seed: int
) -> NDArray[np.int64]:
    """The part of each image, i64[N]: groups whole, classes in proportion.

    counts: i64[N, C], objects of each class in each image; groups: i64[N]; shares: of the parts,
    adding up to 1. Iterative stratification (Sechidis et al., 2011): the rarest class that is left
    is dealt out first, each group to the part that lacks most of it.
    """
    names, group_of = np.unique(groups, return_inverse=True)
    totals = np.zeros((len(names), counts.shape[1] + 1))
    np.add.at(totals[:, :-1], group_of, counts)
    np.add.at(totals[:, -1], group_of, 1)  # images count like a class
    wanted = np.outer(shares, totals.sum(axis=0))
    order = np.random.default_rng(seed).permutation(len(names))
    part = np.full(len(names), -1, np.int64)
    for _ in range(len(names)):
        left = order[part[order] < 0]
        remaining = totals[left].sum(axis=0)
        present = np.flatnonzero(remaining[:-1] > 0)
        rarest = int(present[remaining[present].argmin()]) if len(present) else counts.shape[1]
        # Large groups first: small ones fit in anywhere.
        mine = left[totals[left, rarest] > 0]
        group = int(mine[totals[mine, -1].argmax()])
        lacking = wanted[:, rarest] / max(totals[:, rarest].sum(), 1)
        images = wanted[:, -1] / len(groups)
        best = np.lexsort((images, lacking))[-1]
        part[group] = best
        wanted[best] -= totals[group]
    return part[group_of]
