"""Write a CXI file of frames and peaks for drp, which says what on the input: `python -m drp._cxi`.

The first line of the input is JSON (see `Settings`). Frames and peaks lie in slots of a shared-memory segment; after
the answer `ready` each message is a `HEAD` that names a slot, and each answer the number of a slot that is free again.
A slot of -1 ends the file, and -1 is the answer. An input that ends without that leaves a file that drp removes.

The layout is that of CrystFEL's `--peaks=cxi` and of Cheetah; docs/hits-tools.md has it.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import struct
import sys
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import numpy as np

from ._shm import PAGE, attach

HEAD = struct.Struct("<iIqQQd")
"""Slot, peaks in it, number of the event in its file, time, pulse ID, photon energy in eV."""

SLOT = struct.Struct("<i")

PEAKS = ("peakXPosRaw", "peakYPosRaw", "peakTotalIntensity", "peakMaximumValue", "peakSNR", "peakNPixels")
"""The columns of the peaks in a slot, float32."""

SAID = "drp: "
"""What our own words on stderr begin with, among those of libraries."""

ROWS = 256
"""Events whose numbers are gathered before they are written; also the extent of their chunks."""


@dataclass
class Settings:
    """What is to be written."""

    path: str
    rows: int
    cols: int
    dtype: str
    segment: int  # of shared memory
    slots: int
    stride: int
    max_peaks: int
    energy: bool  # that of the photons is known
    mask: bool  # slot 0 holds one at the start, uint8, 1 is good
    distance: float | None  # m
    run: int
    attributes: dict[str, str] = field(default_factory=dict)


class Writer:
    """An open file; `add` appends an event, `finish` closes it."""

    def __init__(self, h5py: Any, settings: Settings) -> None:
        self.s = s = settings
        memory = attach(s.segment, PAGE + s.slots * s.stride)
        self.memory = memory[PAGE:]
        self.frame_bytes = s.rows * s.cols * np.dtype(s.dtype).itemsize
        self.count = 0
        self.most = 0  # peaks of an event
        self.heads: list[tuple[int, int, int, int, float]] = []
        self.peaks: list[Any] = []
        self.file = f = h5py.File(s.path, "w")
        self.layout(h5py, f)

    def layout(self, h5py: Any, f: Any) -> None:
        """Make all groups and arrays, with no event in them."""
        s = self.s
        for name, value in s.attributes.items():
            f.attrs[name] = value
        f["cxi_version"] = np.int32(140)
        shape = (s.rows, s.cols)
        self.data = f.create_dataset(
            "/entry_1/data_1/data", (0, *shape), dtype=s.dtype, maxshape=(None, *shape), chunks=(1, *shape)
        )
        self.data.attrs["axes"] = "experiment_identifier:y:x"
        detector = f.create_group("/entry_1/instrument_1/detector_1")
        detector["data"] = h5py.SoftLink("/entry_1/data_1/data")
        if s.distance is not None:
            detector["distance"] = s.distance
        if s.mask:
            good = np.frombuffer(self.memory, np.uint8, s.rows * s.cols).reshape(shape)
            f["/entry_1/data_1/mask"] = np.where(good == 0, 1, 0).astype("<u4")  # CXI_PIXEL_IS_INVALID
            detector["mask"] = h5py.SoftLink("/entry_1/data_1/mask")
        result = f.create_group("/entry_1/result_1")
        self.n_peaks = self.column(result, "nPeaks", "<i4")
        self.lists = [
            result.create_dataset(name, (0, 1), dtype="<f4", maxshape=(None, None), chunks=(64, 64)) for name in PEAKS
        ]
        for array in self.lists:
            array.attrs["axes"] = "experiment_identifier:nPeaks"
        result["data"] = h5py.SoftLink("/entry_1/result_1/peakTotalIntensity")
        self.names = self.column(f, "/entry_1/experiment_identifier", "S40")
        lcls = f.create_group("/LCLS")
        self.columns = [
            self.column(lcls, "eventNumber", "<i8"),
            self.column(lcls, "timestamp", "<u8"),
            self.column(lcls, "pulse_id", "<u8"),
            self.column(lcls, "machineTime", "<u4"),
            self.column(lcls, "machineTimeNanoSeconds", "<u4"),
        ]
        self.energies = self.column(lcls, "photon_energy_eV", "<f8") if s.energy else None

    def column(self, group: Any, name: str, dtype: str) -> Any:
        """Make an array of one value for each event."""
        return group.create_dataset(name, (0,), dtype=dtype, maxshape=(None,), chunks=(ROWS,))

    def add(self, slot: int, kept: int, number: int, time: int, pulse: int, energy: float) -> None:
        """Append an event; its slot is free afterwards."""
        start = slot * self.s.stride
        n = self.count
        if n == len(self.data):
            self.data.resize(n + min(max(n, 1), 64), axis=0)
        # A chunk is one frame as it lies in memory: nothing is converted, gathered or copied on its way to the file.
        frame = np.frombuffer(self.memory, np.uint8, self.frame_bytes, start)
        self.data.id.write_direct_chunk((n, 0, 0), frame)
        self.count = n + 1
        self.heads.append((kept, number, time, pulse, energy))
        at = start + (self.frame_bytes + 7) // 8 * 8
        self.peaks.append(np.frombuffer(self.memory, "<f4", kept * len(PEAKS), at).reshape(kept, len(PEAKS)).copy())
        if len(self.heads) == ROWS:
            self.flush()

    def flush(self) -> None:
        """Write the numbers of the events that were added."""
        n = len(self.heads)
        if n == 0:
            return
        end = self.count
        kept, number, time, pulse, energy = (np.array(values) for values in zip(*self.heads, strict=True))
        self.most = max(self.most, int(kept.max()))
        time = time.astype(np.uint64)
        seconds, nano = time >> np.uint64(32), time & np.uint64(0xFFFFFFFF)
        names = [f"r{self.s.run:04d}_{a}_{b}_e{k}".encode() for a, b, k in zip(seconds, nano, number, strict=True)]
        rows = [(self.n_peaks, kept), (self.names, np.array(names, "S40"))]
        rows += zip(self.columns, (number, time, pulse.astype(np.uint64), seconds, nano), strict=True)
        if self.energies is not None:
            rows.append((self.energies, energy))
        for array, values in rows:
            array.resize(end, axis=0)
            array[end - n :] = values.astype(array.dtype)
        for k, array in enumerate(self.lists):
            wide = max(array.shape[1], -(-self.most // 64) * 64)
            array.resize((end, wide))
            block = np.zeros((n, wide), np.float32)
            for row, peaks in zip(block, self.peaks, strict=True):
                row[: len(peaks)] = peaks[:, k]
            array[end - n :] = block
        self.heads, self.peaks = [], []

    def finish(self) -> None:
        """Cut what is too much, and close the file for good."""
        self.flush()
        self.data.resize(self.count, axis=0)
        for array in self.lists:
            array.resize(max(1, self.most), axis=1)
        self.file.close()
        with open(self.s.path, "rb") as f:
            os.fsync(f.fileno())


def serve(h5py: Any, settings: Settings, commands: BinaryIO, answers: BinaryIO) -> bool:
    """Write what the input says; gives whether it came to an end."""
    writer = Writer(h5py, settings)
    answers.write(b"ready\n")
    answers.flush()
    while True:
        head = commands.read(HEAD.size)
        if len(head) < HEAD.size:
            return False  # drp was killed
        slot, *rest = HEAD.unpack(head)
        if slot < 0:
            writer.finish()
        else:
            writer.add(slot, *rest)
        answers.write(SLOT.pack(slot))
        answers.flush()
        if slot < 0:
            return True


def main() -> int:
    """Do it; gives the exit status, and says in one line on stderr what was wrong."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # drp hears of it, too, and decides
    try:
        import h5py  # type: ignore[import-not-found, import-untyped, unused-ignore]
    except ImportError:
        print(f"{SAID}writing CXI needs h5py: {sys.executable} -m pip install h5py", file=sys.stderr)
        return 3
    ended = False
    settings = Settings(**json.loads(sys.stdin.buffer.readline()))
    try:
        ended = serve(h5py, settings, sys.stdin.buffer, sys.stdout.buffer)
    except (OSError, ValueError, RuntimeError, MemoryError) as error:
        print(SAID + why(error), file=sys.stderr, flush=True)
    finally:
        if not ended:
            with contextlib.suppress(OSError):
                os.unlink(settings.path)
        # HDF5 would try to complete the file on its way out, and fail again where a disk is full.
        os._exit(0 if ended else 3)


def why(error: BaseException) -> str:
    """Say in a line what was wrong; HDF5 hides the reason in its text."""
    text = " ".join(str(error).split())
    for reason in ("No space left on device", "Disk quota exceeded", "File too large"):
        if reason in text:
            return reason
    return text or type(error).__name__


if __name__ == "__main__":
    sys.exit(main())
