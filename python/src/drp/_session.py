"""Run a script on a feed: load it at every Configure, and start it again when it fails.

    Configure ---> run the script from the top ---> it asks for runs and events
                     ^      |                |
                     |      | fails in an    | fails in a transition, or ends where it may
                     |      v event          v
                     +-- answer it as      idle: wait for a transition that gives the script a new chance
                         failed, replay

A failure in an event costs that event only: the script is run again, sees copies of Configure, BeginRun, BeginStep and
the latest SlowUpdate, and goes on with the next event. After a failure in a transition the script has no state to work
with, so every event is answered as failed until the next Configure, or BeginRun if it had survived Configure.

In a spare, which is no worker yet, the script runs on replays. If it asks who it is, it cannot go on: the session goes
back to before Configure, and everything comes again when the spare has become a worker.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import linecache
import os
import runpy
import sys
import tokenize
import traceback
import types
from typing import Any

from . import _fex
from ._errors import ScriptEnded
from ._feed import Failure, Feed
from ._info import Deferred, drp_info
from ._sequence import BEGIN_RUN, BEGIN_STEP, CONFIGURE, END_RUN, END_STEP, EVENT, UNCONFIGURE

_REVIVES: dict[int, frozenset[int]] = {
    CONFIGURE: frozenset(),
    BEGIN_STEP: frozenset({BEGIN_RUN, BEGIN_STEP}),
    END_STEP: frozenset({BEGIN_RUN, BEGIN_STEP}),
}


class EndOfData(BaseException):
    """There is nothing more to read; ends a session on files."""


class Session:
    """One script on one feed, until the feed ends."""

    def __init__(self, feed: Feed, script: str, args: list[str]) -> None:
        self.feed = feed
        self.script = feed.script = script
        self.args = args
        self.error: Failure | None = None
        self.revive: frozenset[int] = frozenset()

    def serve(self) -> None:
        """Answer everything that comes."""
        while True:
            try:
                self.turn()
            except Deferred:  # a thread has outlived the script that started it
                if not self.feed.due:
                    self.put_off()
                self.feed.due = False

    def turn(self) -> None:
        """Run the script if what comes is for it, or else answer that."""
        feed = self.feed
        service = feed.ask()
        if service == CONFIGURE:
            feed.reset()
            self.work()
        elif service in self.revive and CONFIGURE in feed.kept:
            feed.restart()
            self.work()
        else:
            feed.take()
            if service >= EVENT:
                feed.failure = self.error or Failure("no script is running", self.script)
            feed.finish()

    def work(self) -> None:
        """Run the script as often as it takes; return when it has to wait for a transition."""
        self.error = None
        again = True
        while again:
            error: BaseException | None = None
            try:
                self.execute()
            except EndOfData:
                raise
            except BaseException as raised:
                error = raised
            if self.feed.forked:
                leave_fork(error)
            due, self.feed.due = self.feed.due and not self.feed.have, False
            if due:
                self.feed.restart()
            elif self.feed.early:
                again = self.put_off()
            else:
                again = self.after(error)
            del error

    def execute(self) -> None:
        """Run the script once, from the top."""
        global _feed
        _feed = self.feed
        if self.feed.ask() == CONFIGURE:
            self.configure()
        folder = os.path.dirname(os.path.abspath(self.script))
        forget(folder)
        _fex.forget()
        sys.argv = [self.script, *self.args]
        if not sys.path or sys.path[0] != folder:
            sys.path.insert(0, folder)
        run_script(self.script, self.feed.source)
        if self.feed.data_source is None and _fex.registered():
            _fex.run()

    def configure(self) -> None:
        """Make known what the Configure at hand says."""
        drp_info._configure(self.feed.prepare())

    def put_off(self) -> bool:
        """Go back to before Configure, since the script asked too early who it is; it is not run again at once."""
        self.feed.defer()
        self.error = None
        self.revive = frozenset()
        forget(os.path.dirname(os.path.abspath(self.script)))
        _fex.forget()
        return False

    def after(self, error: BaseException | None) -> bool:
        """Answer what the script left behind; say whether to run it again at once."""
        feed = self.feed
        service = feed.service
        if not feed.have:  # a signal handler of the script raised while it waited: no datagram is to blame
            if error is not None:
                print(Failure(error, self.script).trace, file=sys.stderr, flush=True)
            feed.restart()
            return True
        if error is None or (isinstance(error, SystemExit) and error.code in (None, 0)):
            if service == UNCONFIGURE or (service == END_RUN and feed.taken):
                self.revive = frozenset({BEGIN_RUN}) if service == END_RUN else frozenset()
                feed.take()
                feed.finish()
                feed.reset()
                return False
            if service == CONFIGURE and feed.have and not feed.taken and feed.data_source is not None:
                feed.reset()
                return True
            where = error.__traceback__ if error is not None else None
            error = ScriptEnded(("sys.exit: " if where else "") + self._ended()).with_traceback(where)
        failure = Failure(error, self.script)
        if service >= EVENT and feed.lead > 1:
            feed.flush()
            feed.rewind()
            feed.restart()
            return True
        feed.taken = feed.have = True
        feed.failure = failure
        feed.finish()
        if service >= EVENT:
            feed.flush()
            feed.restart()
            return True
        self.error = failure
        self.revive = _REVIVES.get(service, frozenset({BEGIN_RUN}))
        feed.reset()
        feed.replays.clear()
        return False

    def _ended(self) -> str:
        if self.feed.service != CONFIGURE:
            return "script ended while the run went on"
        if self.feed.data_source is None:
            return "the script made no DataSource and has no function with @drp.fex"
        return "script ended without asking for runs: for run in ds.runs(): ..."


def run_script(path: str, source: bytes | None) -> None:
    """Run a script as a program: the text that drp took, so that a later edit changes nothing, or the file."""
    if source is None:
        runpy.run_path(path, run_name="__main__")
        return
    module = types.ModuleType("__main__")
    module.__file__ = path
    # Tracebacks and inspect shall show the text that runs.
    text = io.TextIOWrapper(io.BytesIO(source), tokenize.detect_encoding(io.BytesIO(source).readline)[0]).read()
    linecache.cache[path] = (len(source), None, text.splitlines(keepends=True), path)
    code = compile(source, path, "exec")
    former = sys.modules["__main__"]
    sys.modules["__main__"] = module
    try:
        exec(code, module.__dict__)
    finally:
        sys.modules["__main__"] = former


def leave_fork(error: BaseException | None) -> None:
    """End a process that the script forked, and that came to the end of the script: it is no worker."""
    code = 0
    if isinstance(error, SystemExit):
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    elif error is not None:
        traceback.print_exception(error)
        code = 1
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(code)


def forget(folder: str) -> None:
    """Drop the modules that were imported from the script's folder, so that edits count."""
    importlib.invalidate_caches()
    own = os.path.dirname(os.path.abspath(__file__)) + os.sep
    for name, module in list(sys.modules.items()):
        path = getattr(module, "__file__", None)
        if not path or name == "__main__":
            continue
        path = os.path.abspath(path)
        if path.startswith(folder + os.sep) and not path.startswith(own) and "site-packages" not in path:
            del sys.modules[name]


_feed: Feed | None = None


def current_feed(files: Any = None) -> Feed:
    """Give the feed that DataSource works on: that of the session, or files."""
    if _feed is not None:
        return _feed
    from ._files import FileFeed, paths

    chosen = paths(files)
    if not chosen:
        raise RuntimeError(
            'there is no data: run this script under drp (drp -p "script.py args"), '
            "or name XTC2 files: DRP_FILES=run.xtc2 python script.py, or DataSource(files=[...])"
        )
    return FileFeed(chosen, os.environ.get("DRP_OUT"))
