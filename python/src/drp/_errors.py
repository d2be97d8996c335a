"""The exceptions of this package, each also one of Python's own so that old scripts catch what they always caught."""

from __future__ import annotations


class XtcError(ValueError):
    """Bytes that are not valid XTC2."""


class FieldError(TypeError, ValueError):
    """A field got a value of the wrong rank, type or range.

    Both a `TypeError` and a `ValueError`: psana's scripts catch either.
    """


class MissingDataError(AssertionError):
    """A result was added before all of its fields were set."""


class UnknownName(KeyError):  # noqa: N818 - what is unknown is in the message
    """A name that is not there; the message says what is."""

    def __str__(self) -> str:
        return str(self.args[0])


class ConstantsError(RuntimeError):
    """There are no constants to correct the pixels of a detector with."""


class MonitorError(RuntimeError):
    """A run cannot be watched."""


class EndOfWatch(MonitorError):  # noqa: N818 - says what happened, as StopIteration does
    """The run that was watched has ended, and no other is waited for."""


class HitsError(RuntimeError):
    """Nobody looks for hits in this run, and the data have none recorded."""


class ResultTooLarge(BufferError, ValueError):  # noqa: N818 - the name users know
    """What the script adds does not fit in the result area of the event or transition."""

    def __init__(self, needed: int, available: int, flag: str = "--fex-bytes") -> None:
        super().__init__(
            f"result too large: {needed} bytes needed, {available} available; "
            f"add less, or start drp with a larger {flag}"
        )
        self.needed = needed
        self.available = available


class ScriptEnded(RuntimeError):  # noqa: N818 - says what happened, as StopIteration does
    """The script returned while its run went on."""
