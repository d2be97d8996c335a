"""A child of drp that runs a trigger script: `python -m drp._trigger_child SCRIPT ARGS`."""

from __future__ import annotations

import os
import sys

from ._child_slots import connect
from ._errors import ScriptEnded
from ._feed import Failure
from ._sequence import CONFIGURE, EVENT
from ._session import Session
from ._trigger import no_such_field
from ._trigger_feed import TriggerFeed

NO_FIELD = "no field of name "  # how NumPy begins
MISTAKES = (NameError, AttributeError, TypeError, ImportError, SyntaxError)  # that any event would show


class TriggerSession(Session):
    """A trigger script on its feed.

    At Configure the script is run twice from the top: once on events without values, so that what it names is checked
    against what there is before the first event comes, and then on what comes. A script that takes events one by one
    and fails goes on behind the event it failed at; of one that takes batches the whole batch fails.
    """

    feed: TriggerFeed

    def configure(self) -> None:
        """Do nothing: there is no datagram."""

    def after(self, error: BaseException | None) -> bool:
        """Answer what the script left behind; say whether to run it again at once."""
        feed = self.feed
        if feed.trying:
            feed.trying = False
            if isinstance(error, Exception):
                error = self._named(error)
            if feed.tried or (isinstance(error, Exception) and not isinstance(error, MISTAKES)):
                if not feed.tried:
                    self._say(Failure(error or "", self.script), "on an event without values: it is taken all the same")
                feed.tried, feed.taken = True, False
                feed.reset()
                return True
        elif feed.have and feed.service >= EVENT:
            error = self._named(error) if error is not None else None
            if feed.single is not None:
                feed.skip(feed.single, Failure(error or ScriptEnded(self._ended()), self.script))
                return True
        return super().after(error)

    def _named(self, error: BaseException) -> BaseException:
        """Say what there is where NumPy says only that a field is missing."""
        layout, text = self.feed.layout_of, str(error)
        if layout is None or not isinstance(error, ValueError) or not text.startswith(NO_FIELD):
            return error
        return no_such_field(text[len(NO_FIELD) :], layout).with_traceback(error.__traceback__)

    def _say(self, failure: Failure, more: str) -> None:
        trace = failure.trace or f"{failure.fields['message']}\n"
        print(f"{trace}the trigger script failed {more}", file=sys.stderr, flush=True)

    def _ended(self) -> str:
        if self.feed.service != CONFIGURE:
            return "the script ended while events come"
        if self.feed.data_source is None:
            return "the script made no drp.TriggerSource"
        return "the script ended without asking for events: for batch in ts.batches(): ..."


def main() -> int:
    """Serve drp until it goes away."""
    sys.dont_write_bytecode = True  # an edit within the second must not meet the cached bytes of the old module
    feed = connect(os.environ["DRP_CHILD"], TriggerFeed)
    if feed is None:
        return 3
    TriggerSession(feed, sys.argv[1], sys.argv[2:]).serve()
    return 0


if __name__ == "__main__":
    sys.exit(main())
