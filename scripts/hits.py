"""Record hits only, and count over the run how many peaks lie at each pixel: a powder pattern of peaks.

usage: drp --hits peakfinder8 -p "hits.py [SNR]"

Events that are no hits are rejected. Of the others the number of peaks whose signal over noise is SNR (0 unless given)
or more is recorded as `strong` under the alg `select`, and is a trigger input. The count of peaks at each pixel comes
with the end of the run, as `powder`, added up over all workers.

Off line, on a file that was recorded with --hits: DRP_FILES=run.xtc2 DRP_OUT=hits.xtc2 python hits.py 10
"""

import sys

import numpy as np

from drp import DataSource

try:
    (least,) = (float(arg) for arg in [*sys.argv[1:], *([] if sys.argv[1:] else ["0"])])
except ValueError:
    raise SystemExit("usage: hits.py [SNR], a number") from None

ds = DataSource()
if ds.camera is None:
    raise SystemExit("hits.py: this data has no detector with images")
select = ds.add_detector(ds.camera, alg="select", fields={"strong": (np.uint32, 0)})
powder = ds.add_detector(
    ds.camera,
    alg="powder",
    fields={"peaks": (np.uint32, 3), "hits": (np.uint32, 0)},
    reduce="sum",
)
ds.add_trigger(strong=float)
for run in ds.runs():
    det = run.Detector(ds.camera)
    pattern, hits = None, 0
    for evt in run.events():
        if pattern is None and (raw := det.raw.raw(evt)) is not None:
            pattern = np.zeros(raw.shape, np.uint32)
        if not evt.is_hit:
            evt.reject()
            continue
        peaks = evt.hits  # a view: one record for each peak
        strong = peaks[peaks["snr"] >= least]
        select.strong = len(strong)
        evt.trigger(strong=len(strong))
        evt.add(select)
        hits += 1
        where = (
            strong["segment"],
            np.rint(strong["row"]).astype(int),
            np.rint(strong["col"]).astype(int),
        )
        np.add.at(pattern, where, 1)
    if pattern is not None:
        powder.peaks, powder.hits = pattern, hits
        run.add(powder)
