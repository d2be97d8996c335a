"""Look at every event and touch nothing: the shortest script there is.

usage: drp -p passthrough.py

Everything is recorded as it came. Useful to measure what the pipeline costs by itself, and to start a script of one's
own from: read with `det.raw.raw(evt)`, add results with `evt.add`, leave raw data out with `evt.remove`.

Off line, on a file: DRP_FILES=run.xtc2 python passthrough.py
"""

from drp import DataSource

ds = DataSource()
for run in ds.runs():
    for _evt in run.events():
        pass
