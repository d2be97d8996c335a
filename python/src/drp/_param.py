"""Parameters of a script: declared by `ds.param`, and changed by others while the run goes on (docs/settings.md).

Under drp every event says which entry of a board in shared memory has its values. A process that takes the place of
another, or works on an event once more, finds the same there. Over files they are the defaults, or what `DRP_SET` says.
"""

from __future__ import annotations

import json
import math
import re
import shlex
import struct
from collections.abc import Iterable, Sequence
from typing import Any

from . import _shm
from ._config import unknown

MOST = 64  # of a script
TEXT_BYTES = 127  # of a value
RESERVED = frozenset({"generation"})
DETECTOR = "settings"
_KINDS: dict[type, str] = {int: "int", float: "float", bool: "bool", str: "str"}
_WORDS = {
    **dict.fromkeys(("true", "1", "on", "yes"), True),
    **dict.fromkeys(("false", "0", "off", "no"), False),
}
#: What a number is written as, without its exponent and with it.
_NUMBER = re.compile(r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))(?:[eE][+-]?[0-9]+)?")
_MEANT: dict[type, str] = {
    int: "whole number of 64 bits",
    float: "finite number",
    bool: "true or false",
    str: "text",
}
HEAD, CELL = 16, TEXT_BYTES + 1
_CELLS = {int: struct.Struct("<q"), float: struct.Struct("<d"), bool: struct.Struct("<?")}
#: How values are recorded.
FIELDS: dict[type, tuple[Any, int]] = {int: ("<i8", 0), float: ("<f8", 0), bool: ("u1", 0), str: (str, 1)}


def _whole(text: str) -> int | None:
    """Give a number that was written with a point or an exponent, if it is whole: a float has 53 bits of it."""
    from decimal import Decimal  # which few need

    value = Decimal(text)
    return int(value) if abs(value) <= 2**63 and value == int(value) else None


class Param:
    """A parameter of the script. `value` is that of the event at hand, of the type of the default.

    `float(p)`, `int(p)`, `bool(p)` and `str(p)` convert the value; an `int` can be an index. There is no arithmetic
    and no comparison with the object itself: use `p.value`.
    """

    __hash__ = None  # type: ignore[assignment]
    __slots__ = ("_value", "choices", "default", "doc", "kind", "max", "min", "name", "unit")

    def __init__(
        self, name: str, default: Any, least: Any, most: Any, choices: Iterable[Any] | None, unit: str, doc: str
    ) -> None:
        if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,63}", name) or name in RESERVED:
            raise ValueError(
                f"param({name!r}): the name must be up to 64 letters, digits and '_', and not 'generation'"
            )
        if type(default) not in _KINDS:
            raise TypeError(
                f"param({name!r}): the default is a {type(default).__name__}; allowed are int, float, bool, str"
            )
        self.name = name
        self.kind: type = type(default)
        if self.kind in (bool, str) and not (least is None and most is None):
            raise ValueError(f"param({name!r}): min and max are for numbers")
        self.min = None if least is None else self._typed(least, "min")
        self.max = None if most is None else self._typed(most, "max")
        self.choices: tuple[Any, ...] | None = None
        if choices is not None:
            if isinstance(choices, str) or not 0 < len(chosen := list(choices)) <= MOST:
                raise ValueError(f"param({name!r}): choices are a list of 1 to {MOST} values")
            self.choices = tuple(self._typed(choice, "a choice") for choice in chosen)
        for what, text in (("unit", unit), ("doc", doc)):
            if not isinstance(text, str):
                raise TypeError(f"param({name!r}): {what} is {text!r}; expected a str")
        self.unit, self.doc = unit, doc
        self.default = self._value = self.check(default)

    def _typed(self, value: Any, what: str) -> Any:
        kind = type(value)
        if kind is int and self.kind is float:
            value = float(value)
        elif kind is not self.kind:
            raise TypeError(
                f"param({self.name!r}): {what} is {value!r}; expected {_KINDS[self.kind]}, as the default is"
            )
        if self.kind is int and not -(2**63) <= value < 2**63:
            raise ValueError(f"param({self.name!r}): {what} is {value}, which has more than 64 bits")
        if self.kind is float and not math.isfinite(value):
            raise ValueError(f"param({self.name!r}): {what} is {value}; expected a finite number")
        if self.kind is str and (len(value.encode()) > TEXT_BYTES or "\0" in value):
            raise ValueError(f"param({self.name!r}): {what} is longer than {TEXT_BYTES} bytes, or has a NUL")
        return value

    def check(self, value: Any) -> Any:
        """Give the value, or say why it is not allowed."""
        value = self._typed(value, "the value")
        if self.min is not None and value < self.min:
            raise ValueError(f"param({self.name!r}): {value} is less than min={self.min}")
        if self.max is not None and value > self.max:
            raise ValueError(f"param({self.name!r}): {value} is more than max={self.max}")
        if self.choices is not None and value not in self.choices:
            raise ValueError(f"param({self.name!r}): {value!r} is none of {', '.join(map(repr, self.choices))}")
        return value

    def parse(self, text: str) -> Any:
        """Read a value as it is written on a command line: as `drp set` does, so that 1e2 is an int, too."""
        value: Any = None
        if self.kind is bool:
            value = _WORDS.get(text.lower())
        elif self.kind is str:
            value = text if text.encode("utf-8", "ignore").decode() == text else None
        elif number := _NUMBER.fullmatch(text):
            value = float(text)
            if math.isinf(value) or (value == 0 and re.search("[1-9]", number[1])):
                value = None
            elif self.kind is int:
                value = int(text) if "." not in text and number[1] == text else _whole(text)
        if value is None:
            raise ValueError(f"param({self.name!r}): {text!r} is no {_MEANT[self.kind]}")
        return self.check(value)

    @property
    def value(self) -> Any:
        """The value for the event at hand; before the first run the default."""
        return self._value

    def __float__(self) -> float:
        return float(self._value)

    def __int__(self) -> int:
        return int(self._value)

    def __index__(self) -> int:
        if self.kind is not int:
            raise TypeError(f"param({self.name!r}) is a {_KINDS[self.kind]}, which is no index")
        return int(self._value)

    def __bool__(self) -> bool:
        return bool(self._value)

    def __str__(self) -> str:
        return str(self._value)

    def __eq__(self, other: object) -> bool:
        raise TypeError(f"compare param({self.name!r}).value: the parameter itself equals nothing")

    def __repr__(self) -> str:
        return f"<param {self.name}={self._value!r}>"


def declaration(params: Sequence[Param]) -> str:
    """Say in JSON what was declared."""
    return json.dumps(
        [
            {
                "name": p.name,
                "type": _KINDS[p.kind],
                "default": p.default,
                "min": p.min,
                "max": p.max,
                "choices": None if p.choices is None else list(p.choices),
                "unit": p.unit,
                "doc": p.doc,
            }
            for p in params
        ]
    )


def given(words: str, params: Sequence[Param]) -> None:
    """Set what `DRP_SET` says, as "threshold=60 mode=fast"."""
    known = {p.name: p for p in params}
    seen: set[str] = set()
    try:
        split = shlex.split(words)
    except ValueError as error:
        raise ValueError(f"DRP_SET: {words!r}: {error}") from None
    for word in split:
        name, equals, text = word.partition("=")
        if not equals:
            raise ValueError(f"DRP_SET: {word!r}: expected name=value")
        if name in seen:
            raise ValueError(f"DRP_SET: {name} is given twice")
        seen.add(name)
        if name not in known:
            raise ValueError(f"DRP_SET: {unknown('parameter', name, known)}")
        known[name]._value = known[name].parse(text)


class Board:
    """The memory with the values that events have. Entry 0 stands for the defaults."""

    def __init__(self, place: dict[str, int]) -> None:
        self.offset, self.step = place["offset"], place["slot_bytes"]
        self.memory = _shm.attach(place["id"], self.offset + (place["slots"] - 1) * self.step + HEAD + MOST * CELL)

    def latest(self) -> int:
        """Give the entry of the latest event, for who is shown what is past."""
        return int.from_bytes(self.memory[_shm.PAGE : _shm.PAGE + 4], "little")

    def read(self, entry: int, params: Sequence[Param]) -> None:
        """Set all parameters."""
        if entry == 0:
            for p in params:
                p._value = p.default
            return
        read_cells(self.memory, self.offset + entry * self.step + HEAD, params)


def read_cells(memory: Any, at: int, params: Sequence[Param]) -> None:
    """Set all parameters to what stands in memory from `at` on."""
    values: list[Any] = []
    for i, p in enumerate(params):
        cell = at + i * CELL
        if p.kind is str:
            values.append(bytes(memory[cell : cell + CELL]).partition(b"\0")[0].decode())
        else:
            values += _CELLS[p.kind].unpack_from(memory, cell)
    for p, value in zip(params, values, strict=True):
        p._value = value
