"""Keep the events with enough photons on all segments together, and some of the others.

usage: drp --hits photons:photons.adu_per_photon=36 --trigger "trigger.py PHOTONS [N]" -p ...
       drp teb -t "trigger.py PHOTONS [N]" --contributors epix_0,epix_1 ...

An event is a hit when all contributors together have PHOTONS or more, and goes to the first monitor then. Of the others
one in N (100 unless given) is kept as background, and goes to the second. Nothing is remembered from one event to the
next, so that several processes may decide (--trigger-workers).
"""

import sys

from drp import TriggerSource

try:
    least, every = (int(arg) for arg in [*sys.argv[1:], *([] if sys.argv[2:] else ["100"])])
except ValueError:
    raise SystemExit("usage: trigger.py PHOTONS [N], two numbers") from None

ts = TriggerSource()
hit = ts.reason("hit")
background = ts.reason("background")
for batch in ts.batches():
    found = batch.sum("photons") >= least
    others = batch.prescale(every) & ~found
    batch.accept[:] = found | others
    batch.monitor[:] = found * 1 + others * 2
    batch.reason[found] = hit
    batch.reason[others] = background
