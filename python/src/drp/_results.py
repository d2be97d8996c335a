"""What a script declares at Configure and adds to events: fields, their checks, and the bytes they become.

The headers of a ShapesData depend only on the shapes of its arrays, so they are built once per set of shapes and then
copied: adding a result costs one copy for the headers and one per field.
"""

from __future__ import annotations

import math
import operator
import struct
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _xtc
from ._config import unknown
from ._errors import FieldError, MissingDataError
from ._xtc import Entry, Names

if TYPE_CHECKING:
    from ._feed import Feed

OPERATIONS = {None: 0, "sum": 1, "max": 2, "min": 3}
_CODES = {dtype: code for code, dtype in enumerate(_xtc.DTYPES[:10])}


class Field:
    """One declared field: checks what is set, and knows how many bytes it takes."""

    __slots__ = ("code", "dtype", "high", "is_int", "is_str", "low", "name", "rank", "typename")

    def __init__(self, name: str, spec: Any) -> None:
        _xtc.check_name("field", name, entry=True)
        try:
            kind, rank = spec
            self.rank = operator.index(rank)
        except (TypeError, ValueError):
            raise FieldError(
                f"field {name!r}: expected (type, rank), for example (np.float64, 0), got {spec!r}"
            ) from None
        self.name = name
        self.is_str = kind is str
        if self.is_str:
            if self.rank != 1:
                raise FieldError(f"field {name!r}: a str has rank 1")
            self.code, self.dtype, self.typename = _xtc.CHARSTR, np.dtype("u1"), "str"
        else:
            try:
                self.dtype = np.dtype({int: "<i8", float: "<f8"}.get(kind, kind)).newbyteorder("<")
                self.code = _CODES[self.dtype]
            except (KeyError, TypeError):
                raise FieldError(
                    f"field {name!r}: type {kind!r}; allowed are uint8..uint64, int8..int64, float32, float64 and str"
                ) from None
            self.typename = self.dtype.name
        if not 0 <= self.rank <= 4:
            raise FieldError(f"field {name!r}: rank {self.rank}; allowed are 0 to 4")
        self.is_int = self.dtype.kind in "iu"
        info = np.iinfo(self.dtype) if self.is_int else None
        self.low, self.high = (info.min, info.max) if info else (0, 0)

    def check(self, value: Any, lead: int) -> Any:
        """Refuse a value of the wrong rank or type; `lead` is the length of a batch, 0 for one event."""
        if lead:
            return self.check_batch(value, lead)
        if self.rank == 0:
            return self.scalar(value)
        if self.is_str:
            if not isinstance(value, str):
                raise self.wrong("type")
            return value
        return self.array(value, self.rank)

    def check_batch(self, value: Any, lead: int) -> Any:
        """Check the values of a whole batch: one more axis in front."""
        if self.is_str:
            if not isinstance(value, (list, tuple)) or not all(isinstance(v, str) for v in value):
                raise FieldError(f"Incorrect type for '{self.name}'. Expected: a list of str, one per event.")
        else:
            if isinstance(value, (list, tuple)):
                try:
                    value = np.stack([np.asarray(v, self.dtype) if self.rank == 0 else v for v in value])
                except ValueError:
                    raise FieldError(
                        f"values of '{self.name}' differ in shape from event to event; use run.events() instead"
                    ) from None
            if self.rank == 0 and isinstance(value, np.ndarray) and value.ndim == 1 and value.dtype != self.dtype:
                value = self.convert(value)
            value = self.array(value, self.rank + 1)
        if len(value) != lead:
            raise FieldError(f"'{self.name}' has {len(value)} values for a batch of {lead} events")
        return value

    def array(self, value: Any, rank: int) -> Any:
        """Check an array; it is kept as it is, and copied when it is added."""
        if not isinstance(value, np.ndarray):
            if np.ndim(value) != rank:
                raise self.wrong("rank", rank)
            raise self.wrong("type")
        if value.ndim != rank:
            raise self.wrong("rank", rank)
        if value.dtype != self.dtype and value.dtype.newbyteorder("<") != self.dtype:
            raise self.wrong("type")
        return value

    def convert(self, value: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Convert the scalars of a batch, each as one scalar is converted."""
        if value.dtype.kind not in "biuf":
            raise self.wrong("type")
        if self.is_int and value.size:
            if value.dtype.kind == "f" and not np.isfinite(value).all():
                raise FieldError(f"'{self.name}' is not a finite number. Expected: {self.typename}.")
            if int(value.min()) < self.low or int(value.max()) > self.high:
                raise FieldError(f"'{self.name}' is out of the range of {self.typename}")
        return value.astype(self.dtype)

    def scalar(self, value: Any) -> Any:
        """Convert a number, or an array of rank 0."""
        if type(value) is not float and type(value) is not int:
            if np.ndim(value) != 0:
                raise self.wrong("rank")
            if not isinstance(value, (int, float, np.number, np.bool_, np.ndarray)) or isinstance(value, complex):
                raise self.wrong("type")
            if isinstance(value, (np.ndarray, np.generic)) and value.dtype.kind not in "biuf":
                raise self.wrong("type")
        if not self.is_int:
            return float(value)
        try:
            number = int(value)
        except (ValueError, OverflowError):
            raise FieldError(f"'{self.name}' is {value}. Expected: {self.typename}.") from None
        if not self.low <= number <= self.high:
            raise FieldError(f"'{self.name}' = {number} is out of the range of {self.typename}")
        return number

    def wrong(self, what: str, rank: int | None = None) -> FieldError:
        """Make the error psana's users know."""
        expected = self.typename if what == "type" else (self.rank if rank is None else rank)
        return FieldError(f"Incorrect {what} for '{self.name}'. Expected: {expected}.")


class Plan:
    """How a result with arrays of given shapes is written: its headers, and where every field goes."""

    __slots__ = ("header", "offsets", "total")

    def __init__(self, names: Names, shapes: list[tuple[int, ...]]) -> None:
        lengths = [
            _xtc.DTYPES[entry.type].itemsize * math.prod(shape)
            for entry, shape in zip(names.entries, shapes, strict=True)
        ]
        arrays = [shape for entry, shape in zip(names.entries, shapes, strict=True) if entry.rank]
        head = 12 + 12 + 20 * len(arrays) + 12
        self.total = head + sum(lengths)
        if self.total > 0x7FFFFFFF:
            raise FieldError(f"a result of {self.total} bytes is more than XTC2 can hold")
        self.header = b"".join(
            (
                _xtc.XTC.pack(names.id, 0, _xtc.SHAPES_DATA, self.total),
                _xtc.XTC.pack(0, 0, _xtc.SHAPES, 12 + 20 * len(arrays)),
                *(struct.pack("<5I", *shape, *(0,) * (5 - len(shape))) for shape in arrays),
                _xtc.XTC.pack(0, 0, _xtc.DATA, 12 + sum(lengths)),
            )
        )
        self.offsets = [head + sum(lengths[:i]) for i in range(len(lengths))]


class Declared:
    """The immutable side of a result: its Names, fields, and the plans made so far."""

    __slots__ = ("by_name", "feed", "fields", "names", "operation", "plans", "struct")

    def __init__(self, feed: Feed, names: Names, fields: tuple[Field, ...], reduce: str | None) -> None:
        self.feed = feed
        self.names = names
        self.fields = fields
        self.by_name = {field.name: i for i, field in enumerate(fields)}
        self.plans: dict[Any, Plan] = {}
        if reduce not in OPERATIONS:
            raise ValueError(f"reduce={reduce!r}; allowed are 'sum', 'max' and 'min'")
        self.operation = OPERATIONS[reduce]

    def plan(self, shapes: tuple[tuple[int, ...], ...]) -> Plan:
        """Look the plan up, or make it."""
        found = self.plans.get(shapes)
        if found is None:
            if len(self.plans) > 256:
                self.plans.clear()
            found = self.plans[shapes] = Plan(self.names, list(shapes))
        return found


class Result:
    """A detector the script declared. Set its fields, then hand it to `evt.add`, which takes them.

    What was added can still be read until the event is over, but not be added again: each event needs all fields anew.

    Setting an attribute checks it: a field that was not declared raises `AttributeError`, a value of the wrong rank,
    type or range raises `FieldError`. Arrays need exactly the declared type; numbers are converted.
    """

    __slots__ = ("_added", "_declared", "_stamp", "_values")
    _added: list[Any]  # what was handed to add in this event, to be read only
    _declared: Declared
    _stamp: Any  # the event its values belong to
    _values: list[Any]

    def __init__(self, declared: Declared) -> None:
        object.__setattr__(self, "_declared", declared)
        object.__setattr__(self, "_values", [None] * len(declared.fields))
        object.__setattr__(self, "_added", [None] * len(declared.fields))
        object.__setattr__(self, "_stamp", None)

    def __setattr__(self, name: str, value: Any) -> None:
        declared = self._declared
        i = declared.by_name.get(name)
        if i is None:
            raise AttributeError(f"{self!r}: {unknown('field', name, declared.by_name)}")
        feed = declared.feed
        checked = declared.fields[i].check(value, feed.lead)
        if feed.event is not self._stamp:
            self._turn(feed.event)
        self._values[i] = checked

    def __getattr__(self, name: str) -> Any:
        i = self._declared.by_name.get(name)
        if i is None:
            raise AttributeError(f"{self!r}: {unknown('field', name, self._declared.by_name)}")
        value = self._values[i]
        if value is None and self._declared.feed.event is self._stamp:
            value = self._added[i]
        return value

    def __dir__(self) -> list[str]:
        return list(self._declared.by_name)

    def __repr__(self) -> str:
        return f"<result {self._declared.names.det_name}.{self._declared.names.alg}>"

    def _set(self, values: Mapping[str, Any]) -> None:
        for name, value in values.items():
            setattr(self, name, value)

    def _turn(self, event: Any) -> None:
        """Forget what was set in an earlier event: it may be views of memory that holds another one by now."""
        object.__setattr__(self, "_stamp", event)
        if event is not None:
            self._clear()
            self._clear()

    def _clear(self) -> None:
        """Take the values out; until the next time they can be read, but not added."""
        self._added[:] = self._values
        self._values[:] = [None] * len(self._values)


def encode_text(value: str, length: int = 0) -> bytes:
    r"""Encode a string with its NUL, filled up to a multiple of 4 bytes and to at least `length`.

    >>> encode_text("abcd")
    b'abcd\x00\x00\x00\x00'
    """
    raw = value.encode()
    return raw.ljust(max(length, (len(raw) + 4) // 4 * 4), b"\0")


def ready(result: Result, lead: int) -> tuple[list[Any], tuple[tuple[int, ...], ...]]:
    """Take the values of a result, strings as bytes, with the shape of every field in one event."""
    declared = result._declared
    values = result._values.copy()
    shapes: list[tuple[int, ...]] = []
    for i, field in enumerate(declared.fields):
        value = values[i]
        if value is None:
            raise MissingDataError(f"Missing data for '{field.name}'.")
        if field.rank == 0:
            shapes.append(())
        elif field.is_str:
            if lead:
                length = max(len(encode_text(v)) for v in value)
                value = np.frombuffer(b"".join(encode_text(v, length) for v in value), np.uint8).reshape(lead, length)
            else:
                value = np.frombuffer(encode_text(value), np.uint8)
            values[i] = value
            shapes.append(value.shape[1:] if lead else value.shape)
        else:
            shapes.append(value.shape[1:] if lead else value.shape)
    return values, tuple(shapes)


def write(declared: Declared, plan: Plan, values: list[Any], area: memoryview, at: int) -> None:
    """Write one ShapesData at `at`."""
    area[at : at + len(plan.header)] = plan.header
    for i, field in enumerate(declared.fields):
        if field.rank == 0:
            _xtc.SCALARS[field.code].pack_into(area, at + plan.offsets[i], values[i])
        else:
            value = values[i]
            np.ndarray(value.shape, field.dtype, area, at + plan.offsets[i])[...] = value


def write_batch(
    declared: Declared, plan: Plan, values: list[Any], area: memoryview, at: int, n: int, step: int
) -> None:
    """Write the same in `n` areas that lie `step` bytes apart."""
    head = np.frombuffer(plan.header, np.uint8)
    np.ndarray((n, head.size), np.uint8, area, at, (step, 1))[...] = head
    for i, field in enumerate(declared.fields):
        shape = values[i].shape[1:]
        strides = tuple(field.dtype.itemsize * math.prod(shape[k + 1 :]) for k in range(len(shape)))
        np.ndarray((n, *shape), field.dtype, area, at + plan.offsets[i], (step, *strides))[...] = values[i]


def make_entry(field: Field) -> Entry:
    """Describe a declared field in XTC2's terms."""
    return Entry(field.name, field.code, field.rank)
