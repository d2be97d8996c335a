"""Counts photons in random pixels with NumPy, knowing nothing of the Go code but its rules, and compares the maps.

Usage: photons.py DIR, where DIR holds case.json and the arrays it is about, little-endian and without headers.
"""

import json
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np

FOLDER = Path(sys.argv[1])
CASE = json.loads((FOLDER / "case.json").read_text())
SHAPE = CASE["shape"]
PARTS = 1 << 16


def load(name, dtype):
    return np.fromfile(FOLDER / name, dtype).reshape(SHAPE)


def row_maxima(rest):
    """Maxima of each row of a padded image, by following the jumps of a scan from pixel to pixel, all rows at once."""
    rows, cols = rest.shape
    found = np.zeros(rest.shape, bool)
    found[:, 0] = rest[:, 0] > rest[:, 1]
    at = np.where(found[:, 0], 2, 1)
    for col in range(1, cols - 1):
        here = at == col
        rises = rest[:, col + 1] > rest[:, col]
        fell = rest[:, col - 1] > rest[:, col]
        found[:, col] = here & ~rises & ~fell
        at = np.where(here, np.where(rises, col + 1, col + 2), at)
    found[:, -1] = rest[:, -1] > rest[:, -2]
    return found


def order(shape):
    """Where pixels come in the order of the pairs: middle, left, right, top, bottom, and the corners."""
    turn = np.zeros(shape, int)
    turn[:, 0], turn[:, -1], turn[0], turn[-1] = 1, 2, 3, 4
    turn[-1, 0], turn[-1, -1], turn[0, 0], turn[0, -1] = 5, 6, 7, 8
    return turn


def photons(parts):
    counts, rest = np.minimum(parts // PARTS, 65535), parts % PARTS
    maxima = row_maxima(rest) & row_maxima(rest.T).T & (rest >= PARTS // 2)
    rows, cols = np.nonzero(maxima)
    turn = order(rest.shape)[rows, cols]
    free = np.pad(rest, 1, constant_values=-1)  # -1 where there is nothing to pair with
    for k in np.lexsort((cols, rows, turn)):
        row, col = rows[k] + 1, cols[k] + 1
        cross = [(row - 1, col), (row + 1, col), (row, col - 1), (row, col + 1)]
        best = max(cross, key=lambda place: (free[place], cross.index(place)))
        total = rest[row - 1, col - 1] + max(free[best], 0)
        if Fraction(int(total), PARTS) >= Fraction(CASE["thr_fraction"]):
            counts[row - 1, col - 1] += 1
            free[best] = -1
    return counts


def main():
    pedestals, gains = load("pedestals", "<f4"), load("gains", "<f4")
    good = (load("mask", "u1") == 1) & np.isfinite(pedestals) & np.isfinite(gains) & (gains != 0)
    values = load("raw", "<u2").astype(np.int64) - np.where(good, np.rint(pedestals), 0).astype(np.int64)
    values = np.where(good, np.maximum(values, 0), 0)
    one = round(Fraction(CASE["adu_per_photon"]) * PARTS)
    parts = values * PARTS * PARTS // one
    expected = np.stack([photons(segment) for segment in parts])
    wrong = np.argwhere(expected != load("map", "<u2"))
    if len(wrong):
        sys.exit(f"{len(wrong)} pixels differ, first {wrong[0]}: {expected[tuple(wrong[0])]} photons expected")
    if not expected.any():
        sys.exit("there are no photons")


main()
