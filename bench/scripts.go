package bench

// The scripts that are measured. ROI scripts take what every user's first script takes.
const (
	emptyScript = `from drp import DataSource
for run in DataSource().runs():
    for evt in run.events():
        pass
`
	roiHead = `import sys
import numpy as np
from drp import DataSource
ds = DataSource()
dtype = np.dtype(sys.argv[1]).type
roi = ds.add_detector("bench", alg="roi", version=(1, 0, 0), fields={"image": (dtype, 2)})
for run in ds.runs():
    det = run.Detector("bench")
`
	roiScript = roiHead + `    for evt in run.events():
        roi.image = det.raw.raw(evt)[0, :64, :64]
        evt.add(roi)
        evt.remove("bench", "raw")
`
	roiBatchScript = roiHead + `    for batch in run.batches():
        roi.image = det.raw.raw(batch)[:, 0, :64, :64]
        batch.add(roi)
        batch.remove("bench", "raw")
`
	// pingScript answers each message at once: the least any exchange with Python costs.
	pingScript = `import os
while True:
    message = os.read(0, 64)
    if not message:
        break
    os.write(1, message)
`
	// copyScript works as the field's system does: a message for each event, which lies in a shared segment of its own.
	// It is generous: the child takes its region straight from the segment and makes no copy itself.
	copyScript = `import ctypes, os, sys
import numpy as np
ident, size, rows, cols = (int(a) for a in sys.argv[1:5])
libc = ctypes.CDLL(None, use_errno=True)
libc.shmat.restype = ctypes.c_void_p
libc.shmat.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_int]
address = libc.shmat(ident, None, 0)
segment = (ctypes.c_ubyte * size).from_address(address)
frame = np.frombuffer(segment, dtype=np.uint16, count=rows * cols, offset=4096).reshape(rows, cols)
kept = np.zeros((64, 64), np.uint16)
while True:
    message = os.read(0, 64)
    if not message:
        break
    kept[:] = frame[:64, :64]
    os.write(1, message)
`
)
