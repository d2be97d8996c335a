"""Corrected pixels where drp makes none: for those who watch a run, from its constants, in NumPy.

The rules are those of package calib/correct of drp, and so are the results, every bit of them: a test of that package
compares them over random pixels and constants of all models. One thing is not the same: a pixel that drp's mask calls
bad is 0, also when it has just switched to a gain range in which it is good, since the mask is all that is told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Floats = np.ndarray[Any, np.dtype[np.float32]]
ONE, TWO_BITS, CONFIGURED = range(3)
NONE = 255  # no gain range
OVERFLOW = np.float32(32678)  # what JUNGFRAU's saturated pixels are


@dataclass(frozen=True)
class Model:
    """A kind of detector, as calib/model.go has it."""

    coding: int = ONE
    bits: int = 16  # of data in a raw pixel
    gain_bit: int = 14  # the one above them that tells whether a configured pixel has switched
    bank: tuple[int, int] = (0, 0)  # rows and columns that share a common mode; 0 is the whole segment
    common: tuple[int, ...] = (0,)  # ranges whose pixels take part in it


MODELS = {
    "jungfrau": Model(TWO_BITS, 14, bank=(256, 64)),
    "epix10ka": Model(CONFIGURED, 14, bank=(176, 48), common=(0, 1, 3, 4)),
    "epixhr": Model(CONFIGURED, 14, 15, bank=(144, 48), common=(0, 1, 3, 4)),
    "epix100": Model(bank=(352, 96)),
}


def model_of(det_type: str) -> Model:
    """Give the model of a detector type, whose variants have the name of their family in front."""
    return next((m for name, m in MODELS.items() if det_type.lower().startswith(name)), Model())


def configured(det_type: str, pixels: Any, trbits: Any, shape: tuple[int, int]) -> np.ndarray[Any, Any]:
    """Lay out the configuration of the pixels of a segment as its pixels are, with the bit of their ASIC at 16."""
    rows, cols = shape
    half, mid = rows // 2, cols // 2
    kind = det_type.lower()
    asics = np.empty(shape, np.intp)
    if kind.startswith("epixhr1x4"):
        asics[:] = np.arange(cols) // (cols // 4)
    else:
        upper = kind.startswith("epixhr")  # of these the ASICs 1 and 3 are above 0 and 2
        asics[:half, :mid], asics[:half, mid:] = (1, 3) if upper else (2, 1)
        asics[half:, :mid], asics[half:, mid:] = (0, 2) if upper else (3, 0)
    if kind.startswith("epixhr"):
        words = np.reshape(pixels, shape).astype(np.int64)
    else:
        p = np.reshape(pixels, (4, -1, mid))[:, :half].astype(np.int64)
        words = np.vstack((np.hstack((p[2][::-1, ::-1], p[1][::-1, ::-1])), np.hstack((p[3], p[0]))))
    return (words & 12) | np.where(np.asarray(trbits)[asics] != 0, 16, 0)


def ranges_of(words: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Give the gain range of each pixel by its word, with the gain bit of its data at 32; psana's table."""
    maps = [words & 28 == 28, words & 28 == 12, words & 12 == 8, words & 60 == 16, words & 60 == 0]
    maps += [words & 60 == 48, words & 60 == 32]
    return np.select(maps, range(7), NONE)


class Corrector:
    """What makes corrected pixels of the raw ones of one detector.

    `arrays` are constants by name, as `det.calibconst` has them; `common` is how the common mode is taken off, None for
    not at all; `configs` are the pixel configurations of the segments, for models that need them.
    """

    def __init__(
        self,
        det_type: str,
        arrays: Mapping[str, np.ndarray[Any, Any]],
        common: dict[str, Any] | None,
        configs: Sequence[tuple[Any, Any]],
    ) -> None:
        self._model = model_of(det_type)
        pedestals, gains, mask = arrays["pedestals"], arrays["gains"], arrays["mask"]
        self.shape: tuple[int, int, int] = mask.shape
        self._common = common
        usable = (mask[None] == 1) & (pedestals < (1 << self._model.bits) - 1) & np.isfinite(pedestals)
        usable &= (gains != 0) & np.isfinite(gains)
        if "status" in arrays:
            usable &= arrays["status"] == 0
        if self._model.coding == TWO_BITS:
            usable &= usable[0]
        with np.errstate(all="ignore"):
            self._factors = np.where(usable, np.float32(1) / gains, np.float32(0))
        self._pedestals = np.where(usable, pedestals, np.float32(0))
        self._usable = usable
        self._words = [configured(det_type, *c, self.shape[1:]) for c in configs]
        if self._model.coding == CONFIGURED and len(self._words) != self.shape[0]:
            raise ValueError(f"{self.shape[0]} segments and a configuration of {len(self._words)}")

    def segment(self, s: int, raw: np.ndarray[Any, Any]) -> Floats:
        """Correct the pixels of a segment, (rows, cols) uint16."""
        of, first = self._ranges(s, raw)
        good, good_first = self._take(self._usable, s, of), self._take(self._usable, s, first)
        pixels = (raw & np.uint16((1 << self._model.bits) - 1)).astype(np.float32)
        pixels -= self._take(self._pedestals, s, of) * good
        if self._common is not None:
            self._level(pixels, good_first & (of == first) & np.isin(of, self._model.common))
        pixels *= self._take(self._factors, s, of) * good
        if self._model.coding == TWO_BITS:
            pixels[(raw == 0xC000) & good_first] = OVERFLOW
        return pixels

    def _ranges(self, s: int, raw: np.ndarray[Any, Any]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """Give the range of each pixel, and the one that it has before it switches."""
        if self._model.coding == TWO_BITS:
            of = np.array([0, 1, NONE, 2])[raw >> 14]
            of[(raw == 0x4000) | (raw == 0xFFFF)] = NONE
            return of, np.zeros_like(of)
        if self._model.coding == CONFIGURED:
            words = self._words[s]
            bit = (raw >> self._model.gain_bit).astype(np.int64) & 1
            return ranges_of(words | 32 * bit), ranges_of(words)
        none = np.zeros(raw.shape, np.int64)
        return none, none

    def _take(self, a: np.ndarray[Any, Any], s: int, which: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        none = which == NONE
        taken: np.ndarray[Any, Any] = np.take_along_axis(a[:, s], np.where(none, 0, which)[None], 0)[0]
        return np.where(none, a.dtype.type(0), taken)

    def _level(self, pixels: Floats, takes: np.ndarray[Any, Any]) -> None:
        """Take the common mode of banks, rows and columns off a segment, in place."""
        common = self._common
        assert common is not None
        rows, cols = pixels.shape
        high, wide = self._model.bank if self._model.bank[0] else (rows, cols)
        method = medians if common["method"] == "median" else clipped_means
        for what, (h, w) in (("banks", (high, wide)), ("rows", (1, wide)), ("cols", (high, 1))):
            if not common[what]:
                continue
            more = ((0, -rows % h), (0, -cols % w))  # of the last bank that is not there
            levels, counts = method(_blocks(np.pad(pixels, more), h, w), _blocks(np.pad(takes, more), h, w), common)
            with np.errstate(invalid="ignore"):
                counted = (counts > common["min_pixels"]) & (np.abs(levels) < np.float32(common["max_adu"]))
            level = np.where(counted, levels, 0).astype(np.float32).repeat(h, 0).repeat(w, 1)[:rows, :cols]
            np.subtract(pixels, level, out=pixels, where=takes)


def _blocks(a: np.ndarray[Any, Any], h: int, w: int) -> np.ndarray[Any, Any]:
    """Put the pixels of each block in a row, (rows of blocks, columns of blocks, pixels)."""
    return (
        a.reshape(a.shape[0] // h, h, a.shape[1] // w, w)
        .swapaxes(1, 2)
        .reshape(a.shape[0] // h, a.shape[1] // w, h * w)
    )


Levels = tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]


def medians(v: Floats, takes: np.ndarray[Any, Any], common: dict[str, Any]) -> Levels:
    """Give the median of those pixels of each block that take part, in eighths of an ADU, and their number."""
    eighths = np.sort(np.where(takes, np.rint(v.astype(np.float64) * 8) / 8, np.inf), axis=-1)
    n = takes.sum(-1)
    low = np.take_along_axis(eighths, np.maximum(n - 1, 0)[..., None] // 2, -1)[..., 0]
    up = np.take_along_axis(eighths, np.minimum(n // 2, v.shape[-1] - 1)[..., None], -1)[..., 0]
    return (low + up) / 2, n


def clipped_means(v: Floats, takes: np.ndarray[Any, Any], common: dict[str, Any]) -> Levels:
    """Give the mean of those that are within 3 standard deviations of it, in eighths of an ADU, and their number."""
    eighths = np.rint(np.where(takes, v, 0).astype(np.float64) * 8)
    takes = takes & (np.abs(eighths) <= 8 * common["max_adu"])
    n = np.maximum(takes.sum(-1), 1)
    eighths = np.where(takes, eighths, 0)
    mean = eighths.sum(-1) / n
    away = 3 * np.sqrt(np.maximum(0, (eighths * eighths).sum(-1) / n - mean * mean))
    takes &= (eighths >= (mean - away)[..., None]) & (eighths <= (mean + away)[..., None])
    n = takes.sum(-1)
    return np.where(takes, eighths, 0).sum(-1) / np.maximum(n, 1) / 8, n
