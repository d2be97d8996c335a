"""What children of drp have in common that run a script, and others: the start, and slots that hold anything.

Another kind of child is a module that drp starts with `python -m MODULE`. It answers every slot with some bytes:

    import sys
    from drp._child_slots import serve

    def work(slot: memoryview) -> bytes:
        return bytes([sum(slot) % 256])

    sys.exit(serve(work))
"""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
from collections.abc import Callable
from typing import Any, TypeVar, overload

from ._child import ChildFeed
from ._sequence import EVENT

_F = TypeVar("_F", bound=ChildFeed)


@overload
def connect(fds: str) -> ChildFeed | None: ...
@overload
def connect(fds: str, make: type[_F]) -> _F | None: ...


def connect(fds: str, make: type[ChildFeed] = ChildFeed) -> ChildFeed | None:
    """Greet drp by its two pipes, "3,4"; None, with a sentence on stderr, if that fails: the exit status is 3 then."""
    faulthandler.enable()
    faulthandler.register(signal.SIGUSR1, all_threads=True)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for stream in (sys.stdout, sys.stderr):
        reconfigure: Any = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(line_buffering=True)
    try:
        requests, answers = (int(fd) for fd in fds.split(","))
        for fd in (requests, answers):
            os.set_inheritable(fd, False)
        feed = make(requests, answers)
    except (OSError, ValueError, KeyError, TypeError) as error:
        print(f"drp child: {error}", file=sys.stderr)
        return None
    os.environ.pop("DRP_CHILD", None)
    if os.environ.get("PYTHONSAFEPATH") == "drp":  # ours, and not for what the script starts
        del os.environ["PYTHONSAFEPATH"]
    return feed


def serve(work: Callable[[memoryview], bytes], transition: Callable[[int, memoryview], bytes] | None = None) -> int:
    """Answer every slot with what `work` makes of it, until drp is gone; gives the exit status if it never came.

    `work` gets the bytes of the slot, read-only and valid until it returns, and gives those of the answer; `transition`
    gets the number of the transition as well, and without one every transition is answered with nothing. An exception
    is the answer "failed", with its traceback; the state of the module is kept. A replacement is shown the transitions
    that hold before it gets any slot, and what it answers to them is thrown away.
    """
    feed = connect(os.environ["DRP_CHILD"])
    if feed is None:
        return 3
    feed.script = getattr(sys.modules["__main__"], "__file__", None) or ""
    while True:
        service = feed.ask()
        feed.take()
        try:
            if service >= EVENT:
                feed.put(work(feed.data()))
            elif transition is not None:
                feed.put(transition(service, feed.data()))
        except Exception as error:
            feed.fail(error)
        feed.finish()
