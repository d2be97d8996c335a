"""Sum the images of a run, for a powder pattern.

usage: drp -p sumimage.py

Adds up the raw images of the first camera in `image` (segments, rows, cols; uint64) and counts them in `count`. Each
worker sums the events it gets; at EndRun the sums are added to the datagram and drp adds up those of all workers
(`reduce="sum"`). They are recorded there under the alg `sumimage`. The events themselves are recorded as they came.

Off line, on a file: DRP_FILES=run.xtc2 DRP_OUT=sum.xtc2 python sumimage.py
"""

import numpy as np

from drp import DataSource

ds = DataSource()
if ds.camera is None:
    raise SystemExit("sumimage.py: this data has no detector with images")
out = ds.add_detector(
    ds.camera, alg="sumimage", fields={"image": (np.uint64, 3), "count": (np.uint64, 0)}, reduce="sum"
)
for run in ds.runs():
    det = run.Detector(ds.camera)
    total, count = None, 0
    for evt in run.events():
        raw = det.raw.raw(evt)
        if raw is None:
            continue
        if total is None:
            total = np.zeros(raw.shape, np.uint64)
        total += raw
        count += 1
    if total is not None:
        out.image, out.count = total, count
        run.add(out)
