"""Reject events below a threshold that can be changed while the run goes on.

    drp -p threshold.py -o out                     the simulated camera
    drp set                                        in another terminal: what can be set
    drp set threshold=5.5e9                        from the next event on, in all workers

The values that were used are in the recorded data of each event: docs/settings.md.
"""

import numpy as np

from drp import DataSource

ds = DataSource()
threshold = ds.param("threshold", 0.0, min=0, unit="ADU", doc="events whose pixels sum up to less are not recorded")
mode = ds.param("mode", "sum", choices=["sum", "max"], doc="what is compared with the threshold")
assert ds.camera is not None, "there is no camera in this data"
result = ds.add_detector(ds.camera, alg="bright", fields={"value": (np.float64, 0)})
for run in ds.runs():
    det = run.Detector(ds.camera)
    for evt in run.events():
        raw = det.raw.raw(evt)
        if raw is None:
            continue
        value = float(raw.sum(dtype=np.uint64) if mode.value == "sum" else raw.max())
        if value < threshold.value:
            evt.reject()
            continue
        result.value = value
        evt.add(result)
