"""What drp has found in an event: `evt.hits`, `evt.hit` and `evt.is_hit`.

Under `drp --hits` the workers search events before the script's turn, and put what they find into memory that this
process reads where it lies. Elsewhere, and without `--hits`, it is read from the block `hits` that drp has recorded.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _shm
from ._config import fill
from ._errors import HitsError

if TYPE_CHECKING:
    from ._config import Config
    from ._event import Batch, Event
    from ._feed import Feed
    from ._xtc import Names

#: One peak. Values are in ADU, or in the unit of the constants where `pixels: calibrated` was asked for.
PEAK = np.dtype(
    [
        ("segment", "<u2"),  # along the first axis of det.raw.raw(evt) and det.raw.calib(evt)
        ("npix", "<u2"),  # pixels
        ("row", "<f4"),  # centre in the segment, weighted with the values; 0 is the centre of the first pixel
        ("col", "<f4"),
        ("total", "<f4"),  # sum of the pixels less background
        ("max", "<f4"),  # highest pixel less background
        ("background", "<f4"),  # mean around the peak
        ("sigma", "<f4"),  # deviation of one pixel around the peak
        ("snr", "<f4"),
    ]
)

#: What every searched event has, as drp/search.go writes it.
HIT = np.dtype(
    {
        "names": [
            "count", "hit", "truncated", "by", "searched", "peaks", "pixels", "switched", "photons", "total", "max",
            "background", "kept", "thresholds",
        ],
        "formats": ["<u4", "?", "?", "u1", "?", "<u4", "<u4", "<u4", "<u4", "<f4", "<f4", "<f4", "<u4", "<u8"],
        "offsets": [0, 4, 5, 6, 7, 8, 12, 16, 20, 24, 28, 32, 36, 40],
        "itemsize": 64,
    }
)  # fmt: skip
IS_HIT, SEARCHED, KEPT = 4, 7, 36  # where these are

RECORDED = {
    "total": "peaktotal",
    "max": "peakmax",
    "background": "peakbackground",
    "sigma": "peaksigma",
    "snr": "peaksnr",
}


class Area:
    """Where drp puts what it finds: a head and the peaks, for each slot of events."""

    def __init__(self, told: dict[str, int]) -> None:
        self._offset, self._step = told["offset"], told["slot_bytes"]
        self._memory = _shm.attach(told["id"], self._offset + told["slots"] * self._step)

    def is_hit(self, slot: int) -> bool:
        """Say whether the event in a slot is a hit."""
        return self._memory[self._offset + slot * self._step + IS_HIT] != 0

    def peaks(self, slot: int) -> np.ndarray[Any, Any] | None:
        """View the peaks of the event in a slot."""
        at = self._offset + slot * self._step
        if not self._memory[at + SEARCHED]:
            return None
        kept = int.from_bytes(self._memory[at + KEPT : at + KEPT + 4], "little")
        return np.ndarray((kept,), PEAK, self._memory, at + HIT.itemsize)

    def heads(self, slot: int, events: int) -> np.ndarray[Any, Any]:
        """View the heads of events side by side."""
        return np.ndarray((events,), HIT, self._memory, self._offset + slot * self._step, (self._step,))


class Recorded:
    """Reads what was recorded of hits in the events of a file."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self._names: list[Names] = [n for n in config.names.values() if n.alg == "hits" and "peaksnr" in n.index]

    def read(self, feed: Feed, evt: Event | Batch, k: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any] | None]:
        """Give head and peaks of an event, or of event `k` of a batch; without a block an empty head and None."""
        if not self._names:
            raise HitsError(
                "nobody looks for hits in this run, and the data have none recorded: start drp with --hits peakfinder8"
            )
        if len(self._names) > 1:
            raise HitsError(
                "the data have the hits of several streams or searches: read each as det.hits.segments(evt)"
            )
        names = self._names[0]
        off = feed.raw_offset + (evt._slot + k) * feed.raw_step
        layout = feed.parse(evt, evt._layout, feed.base, off, evt.size)
        head = np.zeros((1,), HIT)
        if names.id not in layout:
            return head, None
        block = SimpleNamespace()
        fill(block, feed.base, layout, names, off)
        peaks = np.empty((len(block.peaksnr),), PEAK)
        for name in PEAK.names or ():
            peaks[name] = getattr(block, RECORDED.get(name, name))
        for name in HIT.names or ():
            if name not in ("searched", "kept"):
                head[name] = getattr(block, name)
        head["searched"], head["kept"] = True, len(peaks)
        peaks.flags.writeable = head.flags.writeable = False
        return head, peaks


def heads(feed: Feed, evt: Event | Batch, events: int) -> np.ndarray[Any, Any]:
    """Give the heads of an event or a batch, (events,)."""
    if feed.area_of_hits is not None:
        return feed.area_of_hits.heads(evt._slot, events)
    found = np.concatenate([feed.recorded_hits().read(feed, evt, k)[0] for k in range(events)])
    found.flags.writeable = False
    return found


def peaks(feed: Feed, evt: Event | Batch, k: int = 0) -> np.ndarray[Any, Any] | None:
    """Give the peaks of an event, or of event `k` of a batch."""
    if feed.area_of_hits is not None:
        return feed.area_of_hits.peaks(evt._slot + k)
    return feed.recorded_hits().read(feed, evt, k)[1]
