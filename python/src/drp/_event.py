"""Events and batches: what the loops of a script yield.

Both are short-lived: they and every view read from them are valid until the loop takes the next one. Copy what is to
stay.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from . import _hits, _xtc
from ._views import reader

if TYPE_CHECKING:
    from ._detector import Field
    from ._feed import Feed
    from ._results import Result

NANOSECONDS = 0xFFFFFFFF


class Event:
    """One event (an L1Accept datagram). Valid until the loop takes the next one."""

    __slots__ = ("_feed", "_layout", "_slot", "size", "timestamp")

    def __init__(self, feed: Feed, slot: int, size: int, layout: int, timestamp: int) -> None:
        self._feed = feed
        self._slot = slot
        self.size = size  #: bytes of the datagram
        self._layout = layout
        self.timestamp = timestamp  #: the 64-bit timestamp, seconds << 32 | nanoseconds

    def add(self, result: Result) -> None:
        """Add a result; all of its fields must be set. They can be read until the event is over, but not added again.

        Raises `MissingDataError`, `ResultTooLarge`, or `ValueError` when it was already added.
        """
        self._current().add(result)

    def remove(self, det: str, alg: str = "raw") -> None:
        """Leave the blocks of this detector and alg, all segments, out of the record. An unknown pair is no error."""
        self._current().remove(det, alg)

    def reject(self) -> None:
        """Do not record this event."""
        self._current().reject()

    def trigger(self, **values: float) -> None:
        """Set trigger inputs: numbers the trigger event builder decides by. What is not given is NaN."""
        self._current().set_trigger(values)

    @property
    def is_hit(self) -> bool:
        """Whether drp found a hit; False too for an event that could not be searched. Raises `HitsError` without."""
        feed = self._current()
        if feed.area_of_hits is not None:
            return feed.area_of_hits.is_hit(self._slot)
        return bool(_hits.heads(feed, self, 1)["hit"][0])

    @property
    def hits(self) -> np.ndarray[Any, Any] | None:
        """The peaks that drp found, (peaks,), a read-only view valid as long as the event; None if it was not searched.

        A structured array of 32 bytes a peak: `segment` and `npix` (uint16), `row`, `col` (pixels in the segment, 0 is
        the centre of the first), `total`, `max`, `background`, `sigma` (ADU, or the unit of the constants) and `snr`,
        all float32. Raises `HitsError` when drp was started without --hits and the data have no recorded hits.
        """
        return _hits.peaks(self._current(), self)

    @property
    def hit(self) -> Any:
        """The numbers of the event: a record with `count`, `peaks`, `pixels`, `switched`, `photons` (uint32), `total`,
        `max`, `background` (float32), `hit`, `truncated`, `searched` (bool), `by` (0 CPU, 1 GPU, 2 CPU since the GPU
        failed), `kept` peaks, and `thresholds`, the timestamp of the event whose thresholds were used, 0 for its own.
        """
        return _hits.heads(self._current(), self, 1)[0]

    @property
    def pulse_id(self) -> int:
        """The key of the event, its timestamp."""
        return self.timestamp

    @property
    def seconds(self) -> int:
        """The upper half of the timestamp."""
        return self.timestamp >> 32

    @property
    def nanoseconds(self) -> int:
        """The lower half of the timestamp."""
        return self.timestamp & NANOSECONDS

    @property
    def env(self) -> int:
        """The env word: readout groups in bits 0-15, flags of the event in bits 16-23."""
        return int(self._header()[2])

    @property
    def damage(self) -> int:
        """The damage bits of the datagram."""
        return int(self._header()[4])

    @property
    def dgram(self) -> memoryview:
        """The bytes of the whole datagram, a read-only view."""
        feed = self._current()
        off = feed.raw_offset + self._slot * feed.raw_step
        return memoryview(feed.base)[off : off + self.size].toreadonly()

    def _current(self) -> Feed:
        feed = self._feed
        if feed.event is not self:
            raise RuntimeError("this event is over: it is valid until the loop takes the next one")
        return feed

    def _header(self) -> Any:
        feed = self._current()
        return _xtc.DGRAM.unpack_from(feed.base, feed.raw_offset + self._slot * feed.raw_step)

    def _read(self, field: Field) -> Any:
        feed = self._feed
        if feed.event is not self:
            raise RuntimeError("this event is over: it is valid until the loop takes the next one")
        off = feed.raw_offset + self._slot * feed.raw_step
        got = field._readers.get(self._layout)
        if got is None:
            layout = feed.parse(self, self._layout, feed.base, off, self.size)
            got = reader(layout, field.among(layout), field._name, feed.base, off)
            if self._layout:
                field._keep(self._layout, got)
        return got.one(feed.base, off)

    def _blocks(self) -> tuple[Any, int, Any]:
        feed = self._current()
        off = feed.raw_offset + self._slot * feed.raw_step
        return feed.base, off, feed.parse(self, self._layout, feed.base, off, self.size)

    def __repr__(self) -> str:
        return f"<event {self.seconds}.{self.nanoseconds:09d}>"


class Batch:
    """Several events of equal layout. What is read from it, and what is added to it, has one axis more in front.

    Valid until the loop takes the next batch.
    """

    __slots__ = ("_feed", "_layout", "_slot", "size", "timestamps")

    def __init__(self, feed: Feed, slot: int, size: int, layout: int, timestamps: np.ndarray[Any, Any]) -> None:
        self._feed = feed
        self._slot = slot
        self.size = size  #: bytes of each datagram
        self._layout = layout
        self.timestamps = timestamps  #: (events,) uint64, the timestamp of every event

    def __len__(self) -> int:
        return len(self.timestamps)

    @property
    def is_hit(self) -> np.ndarray[Any, Any]:
        """(events,) bool: whether drp found a hit. Raises `HitsError` as the next two do, see `Event.hits`."""
        found: np.ndarray[Any, Any] = self.hit["hit"]
        return found

    @property
    def hits(self) -> list[np.ndarray[Any, Any] | None]:
        """The peaks of every event, as `Event.hits`."""
        feed = self._current()
        return [_hits.peaks(feed, self, k) for k in range(len(self))]

    @property
    def hit(self) -> np.ndarray[Any, Any]:
        """(events,) records with the numbers of every event, as `Event.hit`."""
        return _hits.heads(self._current(), self, len(self))

    @property
    def pulse_ids(self) -> np.ndarray[Any, Any]:
        """The keys of the events, their timestamps."""
        return self.timestamps

    def add(self, result: Result) -> None:
        """Add a result to every event; its fields hold one value per event along the first axis."""
        self._current().add(result)

    def remove(self, det: str, alg: str = "raw") -> None:
        """Leave the blocks of this detector and alg out of the record of every event."""
        self._current().remove(det, alg)

    def reject(self, mask: Any = None) -> None:
        """Do not record the events where `mask` (bool, one per event) is true; all of them without a mask."""
        self._current().reject(mask)

    def trigger(self, **values: Any) -> None:
        """Set trigger inputs: for each name an array with one value per event."""
        self._current().set_trigger(values)

    def _current(self) -> Feed:
        if self._feed.event is not self:
            raise RuntimeError("this batch is over: it is valid until the loop takes the next one")
        return self._feed

    def _read(self, field: Field) -> Any:
        feed = self._current()
        off = feed.raw_offset + self._slot * feed.raw_step
        got = field._readers.get(self._layout)
        if got is None:
            layout = feed.parse(self, self._layout, feed.base, off, self.size)
            got = reader(layout, field.among(layout), field._name, feed.base, off)
            if self._layout:
                field._keep(self._layout, got)
        return got.many(feed.base, off, len(self.timestamps), feed.raw_step)

    def _blocks(self) -> tuple[Any, int, Any]:
        raise TypeError("segments() reads single events; use run.events()")

    def __repr__(self) -> str:
        return f"<batch of {len(self)} events>"
