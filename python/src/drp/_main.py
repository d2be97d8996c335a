"""The two ways of `python -m drp`: as a child of drp, and on files."""

from __future__ import annotations

import os
import runpy
import sys

from ._session import EndOfData, Session


def child(fds: str, script: str, args: list[str]) -> int:
    """Serve drp until it goes away; `fds` names the two pipes, "3,4"."""
    from ._child_slots import connect

    sys.dont_write_bytecode = True  # an edit within the second must not meet the cached bytes of the old module
    feed = connect(fds)
    if feed is None:
        return 3
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
