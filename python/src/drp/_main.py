"""The two ways of `python -m drp`: as a child of drp, and on files."""

from __future__ import annotations

import faulthandler
import os
import runpy
import signal
import sys
from typing import Any

from ._session import EndOfData, Session


def child(fds: str, script: str, args: list[str]) -> int:
    """Serve drp until it goes away; `fds` names the two pipes, "3,4"."""
    from ._child import ChildFeed

    faulthandler.enable()
    faulthandler.register(signal.SIGUSR1, all_threads=True)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for stream in (sys.stdout, sys.stderr):
        reconfigure: Any = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(line_buffering=True)
    sys.dont_write_bytecode = True  # an edit within the second must not meet the cached bytes of the old module
    try:
        requests, answers = (int(fd) for fd in fds.split(","))
        for fd in (requests, answers):
            os.set_inheritable(fd, False)
        feed = ChildFeed(requests, answers)
    except (OSError, ValueError, KeyError, TypeError) as error:
        print(f"drp child: {error}", file=sys.stderr)
        return 3
    os.environ.pop("DRP_CHILD", None)
    if os.environ.get("PYTHONSAFEPATH") == "drp":  # ours, and not for what the script starts
        del os.environ["PYTHONSAFEPATH"]
    Session(feed, script, args).serve()
    return 0


def offline(script: str, args: list[str]) -> int:
    """Run the script on the files of DRP_FILES; the exit status says whether any event failed."""
    from ._files import FileFeed, paths

    chosen = paths(None)
    if not chosen:
        sys.argv = [script, *args]
        sys.path.insert(0, os.path.dirname(os.path.abspath(script)))
        from . import _fex

        runpy.run_path(script, run_name="__main__")
        if _fex.registered() and not _fex.was_run():
            _fex.run()
        return 0
    try:
        feed = FileFeed(chosen, os.environ.get("DRP_OUT"), restarts=True)
        Session(feed, script, args).serve()
    except EndOfData:
        pass
    except (OSError, ValueError) as error:
        print(f"drp: {error}", file=sys.stderr)
        return 1
    feed.close()
    if feed.failures:
        print(f"drp: {feed.failures} datagrams failed", file=sys.stderr)
    return 5 if feed.failures else 0
