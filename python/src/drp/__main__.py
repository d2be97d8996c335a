"""Run a script on the datagrams of drp, or of files: `python -m drp SCRIPT ARGS`."""

from __future__ import annotations

import os
import sys


def main() -> int:
    """Do it; gives the exit status."""
    if len(sys.argv) < 2 or sys.argv[1] in ("-h", "--help"):
        print("usage: python -m drp SCRIPT [ARGS]   (the data: DRP_FILES=run.xtc2)", file=sys.stderr)
        return 0 if sys.argv[1:] else 2
    script, args = sys.argv[1], sys.argv[2:]
    if not os.environ.get("DRP_CHILD") and not os.path.isfile(script):
        print(f"no script {script}", file=sys.stderr)
        return 2
    from ._main import child, offline

    if os.environ.get("DRP_CHILD"):
        return child(os.environ["DRP_CHILD"], script, args)
    if os.environ.get("DRP_TRIAL"):
        from ._trial import trial

        return trial(os.environ.pop("DRP_TRIAL"), script, args)
    return offline(script, args)


if __name__ == "__main__":
    sys.exit(main())
