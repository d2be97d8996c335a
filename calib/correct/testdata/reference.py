"""Corrects random pixels with NumPy, knowing nothing of the Go code but its rules, and compares every bit.

Usage: reference.py DIR, where DIR holds case.json and the arrays it is about, little-endian and without headers.
"""

import json
import sys
from pathlib import Path

import numpy as np

from drp._correct import Corrector

FOLDER = Path(sys.argv[1])
CASE = json.loads((FOLDER / "case.json").read_text())
SEGMENTS, ROWS, COLS = CASE["shape"]
RANGES = CASE["ranges"]
BITS = CASE["data_bits"]
CODING = CASE["coding"]


def load(name, dtype, shape):
    return np.fromfile(FOLDER / name, dtype).reshape(shape)


def epix10ka_words(pixels, trbits):
    """Word of each pixel, from the matrices of four ASICs: psana's picture of the panel, by numpy."""
    words = np.vstack(
        (np.hstack((pixels[2][::-1, ::-1], pixels[1][::-1, ::-1])), np.hstack((pixels[3], pixels[0])))
    )
    words = words & 12
    half, mid = ROWS // 2, COLS // 2
    words[:half, :mid] |= 16 * trbits[2]
    words[half:, :mid] |= 16 * trbits[3]
    words[half:, mid:] |= 16 * trbits[0]
    words[:half, mid:] |= 16 * trbits[1]
    return words


def epixhr_words(pixels, trbits):
    words = pixels.reshape(ROWS, COLS) & 12
    half, mid = ROWS // 2, COLS // 2
    words[:half, :mid] |= 16 * trbits[1]
    words[half:, :mid] |= 16 * trbits[0]
    words[:half, mid:] |= 16 * trbits[3]
    words[half:, mid:] |= 16 * trbits[2]
    return words


def ranges_of(words):
    """Gain range by psana's table; 255 is none."""
    maps = [words & 28 == 28, words & 28 == 12, words & 12 == 8, words & 60 == 16, words & 60 == 0]
    maps += [words & 60 == 48, words & 60 == 32]
    return np.select(maps, range(7), 255)


def clipped_ints(area, takes):
    v = area[takes].astype(np.int64)
    limit = CASE["max_adu"]
    v = v[(v >= -limit) & (v <= limit)]
    if len(v) == 0:
        return 0, 0
    mean = v.sum() / len(v)
    away = 3 * np.sqrt(max(0, (v * v).sum() / len(v) - mean * mean))
    w = v[(v >= mean - away) & (v <= mean + away)]
    return (w.sum() / len(w), len(w)) if len(w) else (0, 0)


def clipped_floats(area, takes):
    """In eighths of an ADU."""
    v = np.rint(area[takes].astype(np.float64) * 8)
    limit = 8 * CASE["max_adu"]
    v = v[(v >= -limit) & (v <= limit)]
    if len(v) == 0:
        return 0, 0
    mean = v.sum() / len(v)
    away = 3 * np.sqrt(max(0, (v * v).sum() / len(v) - mean * mean))
    w = v[(v >= mean - away) & (v <= mean + away)]
    return (w.sum() / len(w) / 8, len(w)) if len(w) else (0, 0)


def median(area, takes):
    v = area[takes]
    if v.dtype != np.int16:
        v = np.rint(v.astype(np.float64) * 8) / 8
    return (np.median(v), len(v)) if len(v) else (0, 0)


def level(plane, takes):
    """Take the common mode of banks, rows and columns off a segment, in place."""
    high, wide = CASE["bank"]
    sizes = []
    if CASE["banks"]:
        sizes.append((high, wide))
    if CASE["rows"]:
        sizes.append((1, wide))
    if CASE["cols"]:
        sizes.append((high, 1))
    whole = plane.dtype == np.int16
    method = median if CASE["method"] == "median" else (clipped_ints if whole else clipped_floats)
    for h, w in sizes:
        for row in range(0, ROWS, h):
            for col in range(0, COLS, w):
                at = np.s_[row : row + h, col : col + w]
                m, n = method(plane[at], takes[at])
                if n <= CASE["min_pixels"] or not abs(m) < CASE["max_adu"]:
                    continue
                if whole:
                    new = np.clip(plane[at].astype(np.int64) - int(np.rint(m)), -32767, 32767)
                else:
                    new = plane[at] - np.float32(m)
                plane[at] = np.where(takes[at], new, plane[at])
                if whole:
                    takes[at] &= plane[at] != 32767  # saturated by the correction


def segment(s, raw, constants):
    """Corrected floats and integers of a segment."""
    pedestals, gains, status, mask = constants
    data = raw & ((1 << BITS) - 1)
    code = raw >> 14
    nothing = np.zeros((ROWS, COLS), bool)
    special = nothing
    if CODING == "two bits":
        of = np.array([0, 1, 255, 2])[code]
        first = np.zeros_like(of)
        special = (raw == 0x4000) | (raw == 0xFFFF)
        of = np.where(special, 255, of)
        switched = code != 0
    elif CODING == "configured":
        pixels = load(f"config{s}", np.uint8, CASE["config_shape"])
        words = (epixhr_words if CASE["model"].startswith("epixhr") else epix10ka_words)(pixels, CASE["trbits"][s])
        bit = (raw >> CASE["gain_bit"]) & 1
        of, first = ranges_of(words.astype(int) + 32 * bit), ranges_of(words.astype(int))
        switched = of != first
    else:
        of = first = np.zeros((ROWS, COLS), int)
        switched = nothing
    with np.errstate(all="ignore"):
        factors = np.float32(1) / gains
    usable = (mask[None] == 1) & (status == 0) & (pedestals < (1 << BITS) - 1) & (gains != 0) & np.isfinite(gains)
    usable &= np.isfinite(pedestals)
    if CODING == "two bits":
        usable &= usable[0]

    def take(a, which):
        return np.take_along_axis(a, np.where(which == 255, 0, which)[None], 0)[0]

    good = take(usable, of) & (of != 255)
    good_first = take(usable, first) & (first != 255)
    pedestal = np.where(good, take(pedestals, of), np.float32(0))
    factor = np.where(good, take(factors, of), np.float32(0))
    takes = good_first & ~switched & np.isin(of, CASE["common_ranges"])

    floats = data.astype(np.float32) - pedestal
    if CASE["method"]:
        level(floats, takes.copy())
    floats = floats * factor
    if CODING == "two bits":
        floats = np.where((raw == 0xC000) & good_first, np.float32(32678), floats)

    rounded = np.rint(take(np.where(usable, pedestals, np.float32(0)), first)).astype(np.int64)
    integers = np.clip(data.astype(np.int64) - rounded, -32767, 32767)
    integers = np.where(switched, 32767, integers)
    integers = np.where(~good_first | special | ((code == 2) & (CODING == "two bits")), -32768, integers).astype(np.int16)
    if CASE["method"]:
        level(integers, takes & (integers != 32767))
    return floats, integers


def main():
    shape = (RANGES, SEGMENTS, ROWS, COLS)
    pedestals, gains = load("pedestals", np.float32, shape), load("gains", np.float32, shape)
    status, mask = load("status", np.uint16, shape), load("mask", np.uint8, shape[1:])
    raw = load("raw", np.uint16, shape[1:])
    got_floats, got_integers = load("floats", np.float32, shape[1:]), load("integers", np.int16, shape[1:])
    arrays = {"pedestals": pedestals, "gains": gains, "status": status, "mask": mask}
    common = CASE if CASE["method"] else None
    configs = [(load(f"config{s}", np.uint8, -1), CASE["trbits"][s]) for s in range(SEGMENTS if CODING == "configured" else 0)]
    corrector = Corrector(CASE["model"], arrays, common, configs)
    for s in range(SEGMENTS):
        floats, integers = segment(s, raw[s], (pedestals[:, s], gains[:, s], status[:, s], mask[s]))
        watched = corrector.segment(s, raw[s])
        for what, want, got in (
            ("floats", floats, got_floats[s]),
            ("integers", integers, got_integers[s]),
            ("floats of monitors", floats, watched),
        ):
            wrong = np.argwhere(want != got)
            if len(wrong):
                at = tuple(wrong[0])
                sys.exit(
                    f"{what} of segment {s}: {len(wrong)} differ, first {at}: "
                    f"Go {got[at]!r} numpy {want[at]!r} raw {raw[s][at]:#x}"
                )


main()
