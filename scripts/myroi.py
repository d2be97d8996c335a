"""Keep a region of interest of the camera instead of the whole image.

usage: drp -p "myroi.py ROW COL [SIZE]"

ROW and COL are the upper left corner, SIZE (64 unless given) the edge of a square in segment 0 of the first camera. It
is recorded as `image` (uint16) with its sum (float64) under the alg `roi`; the raw image is left out of the record. The
sum is also a trigger input, so that the trigger can decide by `sum`.

Off line, on a file: DRP_FILES=run.xtc2 DRP_OUT=roi.xtc2 python myroi.py 100 200
"""

import sys

import numpy as np

from drp import DataSource

USAGE = "usage: myroi.py ROW COL [SIZE], three whole numbers, SIZE at least 1"
try:
    row, col, size = (int(arg) for arg in [*sys.argv[1:], "64"][:3])
except ValueError:
    raise SystemExit(USAGE) from None
if len(sys.argv) > 4 or row < 0 or col < 0 or size < 1:
    raise SystemExit(USAGE)

ds = DataSource()
if ds.camera is None:
    raise SystemExit("myroi.py: this data has no detector with images")
roi = ds.add_detector(ds.camera, alg="roi", version=(1, 0, 0), fields={"image": (np.uint16, 2), "sum": (np.float64, 0)})
ds.add_trigger(sum=float)
for run in ds.runs():
    det = run.Detector(ds.camera)
    for evt in run.events():
        raw = det.raw.raw(evt)
        if raw is None:
            continue
        image = raw[0, row : row + size, col : col + size]
        if image.shape != (size, size):
            raise ValueError(f"the region at {row}, {col} of size {size} is not inside the image {raw.shape[1:]}")
        roi.image = image
        roi.sum = float(image.sum())
        evt.trigger(sum=roi.sum)
        evt.add(roi)
        evt.remove(ds.camera, "raw")
