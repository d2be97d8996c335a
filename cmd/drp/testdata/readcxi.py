"""Read a CXI file by the rules of CrystFEL's own reader, and print what it would see as JSON."""

import json
import sys

import h5py
import numpy as np

path, result, data = sys.argv[1], "/entry_1/result_1", "/entry_1/data_1/data"
events = []
with h5py.File(path, "r") as f:
    frames = f[data]
    assert frames.ndim == 3 and frames.chunks == (1, *frames.shape[1:]), (frames.shape, frames.chunks)
    assert frames.dtype.str in ("<f4", "<i2", "<u2"), frames.dtype
    for line in range(len(frames)):
        counts = f[result + "/nPeaks"]
        assert counts.ndim == 1 and line <= counts.shape[0] - 1 and counts.dtype.kind == "i"
        n = int(counts[line])
        lists = {}
        for name in ("peakXPosRaw", "peakYPosRaw", "peakTotalIntensity", "peakMaximumValue", "peakSNR", "peakNPixels"):
            rows = f[result + "/" + name]
            assert rows.ndim == 2 and line <= rows.shape[0] - 1 and rows.shape[1] >= n and rows.dtype.kind == "f"
            lists[name] = [float(v) for v in rows[line][:n]]
            assert not rows[line][n:].any()
        event = {"n": n, **lists, "sum": float(np.asarray(frames[line], np.float64).sum())}
        event["id"] = f["/entry_1/experiment_identifier"][line].decode()
        columns = ("photon_energy_eV", "timestamp", "pulse_id", "eventNumber", "machineTime", "machineTimeNanoSeconds")
        for name in columns:
            if "/LCLS/" + name in f:
                values = f["/LCLS/" + name]
                assert values.ndim == 1 and len(values) == len(frames)
                event[name] = values[line].item()
        events.append(event)
    out = {"events": events, "shape": frames.shape, "dtype": frames.dtype.str, "attributes": dict(f.attrs)}
    if "/entry_1/data_1/mask" in f:
        mask = f["/entry_1/data_1/mask"]
        assert mask.shape == frames.shape[1:] and mask.dtype.kind == "u"
        out["bad"] = [int(v) for v in np.flatnonzero(mask[()])]
    for link in ("/entry_1/instrument_1/detector_1/data", result + "/data"):
        assert len(f[link]) == len(frames)
    if "/entry_1/instrument_1/detector_1/distance" in f:
        out["distance"] = float(f["/entry_1/instrument_1/detector_1/distance"][()])
print(json.dumps(out))
