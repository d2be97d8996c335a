"""What a soak test runs: keeps a number of each event, and now and then raises, prints far too much, or leaks for a while."""

import random
import sys

import numpy as np

from drp import DataSource

ds = DataSource()
out = ds.add_detector(ds.camera, alg="number", fields={"mean": (np.float32, 0)})
rng = random.Random(int(sys.argv[1]))
leak = []
for run in ds.runs():
    det = run.Detector(ds.camera)
    for evt in run.events():
        out.mean = float(det.raw.raw(evt).mean())
        evt.add(out)
        evt.remove(ds.camera, "raw")
        chance = rng.random()
        if chance < 1e-4:
            raise ValueError("the script raises on purpose")
        if chance < 2e-4:
            print("the script prints on purpose\n" * 500)
        if chance < 5e-4:
            leak.append(bytearray(1 << 18))
            if len(leak) > 200:
                leak.clear()
