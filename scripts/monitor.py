"""Watch a run: print each event of a camera that comes when we are ready for one.

    drp -p myroi.py --monitor tmo/epix          elsewhere, perhaps already
    python scripts/monitor.py tmo/epix [EVENTS]

The run is not slowed by this, however slow it is. It goes on with the next run, and when drp is started again.
"""

import itertools
import sys

import drp

name = sys.argv[1]
events = int(sys.argv[2]) if len(sys.argv) > 2 else None

with drp.monitor(name, newest=True) as watched:
    print(f"{'event':>10} {'time':>20} {'mean':>10} {'max':>8} {'missed':>8}")
    for evt in itertools.islice(watched, events):
        camera = watched.camera
        raw = watched.Detector(camera).raw.raw(evt) if camera else None
        if raw is not None:  # a view of shared memory, which stays as it is until the next event is asked for
            print(f"{evt.number:10} {evt.timestamp:20} {raw.mean():10.2f} {raw.max():8} {evt.missed:8}", flush=True)
