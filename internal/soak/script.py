"""What a soak test runs: it keeps a number of each event; now and then it raises, prints, or leaks for a while."""

import sys

import numpy as np

from drp import DataSource

ds = DataSource()
out = ds.add_detector(ds.camera, alg="number", fields={"mean": (np.float32, 0)})
seed = int(sys.argv[1])
leak = vars(sys).setdefault("soak_leak", [])  # the script begins anew when it raises, in the same process
for run in ds.runs():
    det = run.Detector(ds.camera)
    for evt in run.events():
        out.mean = float(det.raw.raw(evt).mean())
        evt.add(out)
        evt.remove(ds.camera, "raw")
        chance = hash((seed, evt.timestamp)) % (1 << 32) / (1 << 32)
        if chance < 1e-4:
            raise ValueError("the script raises on purpose")
        if chance < 2e-4:
            print("the script prints on purpose\n" * 500)
        if chance > 0.999:
            leak.append(bytearray(1 << 16))
            if len(leak) > 1000:
                leak.clear()
