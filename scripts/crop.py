"""Keep parts of the image of the events that are recorded, cut after it was decided that they are.

usage: drp -p "SCRIPT" --trigger RULES --post "crop.py ROWS COLS"
       drp -p "SCRIPT" --hits peakfinder8 --trigger RULES --post "crop.py hits [HALF]"

ROWS and COLS are ranges as in Python, such as 100:164 120:184: that region of every segment of the first camera is
recorded as `image` (uint16). With `hits` it is a square around each peak, of 2 * HALF + 1 pixels (HALF is 8 unless
given), moved inwards at the edges: `images` (uint16), and `segment`, `row` and `col` of its upper left corner. Both go
under the alg `crop`, and the raw image is left out of the record; an event without peaks keeps it.

Off line, on a recorded file: DRP_FILES=run.xtc2 DRP_OUT=crop.xtc2 python crop.py 100:164 120:184
"""

import re
import sys

import numpy as np

from drp import DataSource

USAGE = "usage: crop.py ROWS COLS, two ranges such as 100:164, or crop.py hits [HALF]"


def range_of(text):
    """Read a range."""
    found = re.fullmatch(r"(\d+):(\d+)", text)
    if not found or int(found[1]) >= int(found[2]):
        raise SystemExit(USAGE)
    return slice(int(found[1]), int(found[2]))


words = sys.argv[1:]
around = words[:1] == ["hits"]
if around and len(words) <= 2 and all(word.isdigit() for word in words[1:]):
    size = 2 * int((words[1:] or ["8"])[0]) + 1
    fields = {"images": (np.uint16, 3), "segment": (np.uint16, 1), "row": (np.uint16, 1), "col": (np.uint16, 1)}
elif not around and len(words) == 2:
    rows, cols = map(range_of, words)
    fields = {"image": (np.uint16, 3)}
else:
    raise SystemExit(USAGE)

ds = DataSource()
if ds.camera is None:
    raise SystemExit("crop.py: this data has no detector with images")
crop = ds.add_detector(ds.camera, alg="crop", fields=fields)


def squares(raw, peaks):
    """Cut a square around each peak; raises ValueError where the image is smaller than one."""
    _, height, width = raw.shape
    if size > min(height, width):
        raise ValueError(f"a square of {size} pixels is not inside the image {raw.shape[1:]}")
    crop.segment = peaks["segment"]
    crop.row = np.clip(np.rint(peaks["row"]) - size // 2, 0, height - size).astype(np.uint16)
    crop.col = np.clip(np.rint(peaks["col"]) - size // 2, 0, width - size).astype(np.uint16)
    offsets = np.arange(size)
    down = crop.row[:, None, None] + offsets[:, None]
    crop.images = raw[crop.segment[:, None, None], down, crop.col[:, None, None] + offsets]


for run in ds.runs():
    det = run.Detector(ds.camera)
    for evt in run.events():
        raw = det.raw.raw(evt)
        if raw is None:
            continue
        if around:
            peaks = evt.hits
            if peaks is None or not len(peaks):
                continue
            squares(raw, peaks)
        else:
            crop.image = raw[:, rows, cols]
            if crop.image.shape[1:] != (rows.stop - rows.start, cols.stop - cols.start):
                raise ValueError(f"the region {words[0]} {words[1]} is not inside the image {raw.shape[1:]}")
        evt.add(crop)
        evt.remove(ds.camera, "raw")
