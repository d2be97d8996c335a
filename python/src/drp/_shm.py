"""Attach SysV shared-memory segments by id."""

from __future__ import annotations

import ctypes
import os
import weakref

import numpy as np

SHM_RDONLY = 0o10000
PAGE = 4096
MAGIC = b"drpshm1\0"


def attach(segment_id: int, size: int, writable: bool = False) -> memoryview:
    """Map a segment until nothing refers to the view any more; raises `OSError`, or `ValueError` if it is not ours."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.shmat.restype = ctypes.c_void_p
    libc.shmat.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_int)
    address = libc.shmat(segment_id, None, 0 if writable else SHM_RDONLY)
    if address is None or address == ctypes.c_void_p(-1).value:
        code = ctypes.get_errno()
        raise OSError(code, f"attach shared-memory segment {segment_id}: {os.strerror(code)}")
    memory = (ctypes.c_ubyte * size).from_address(address)
    weakref.finalize(memory, libc.shmdt, ctypes.c_void_p(address)).atexit = False
    view = memoryview(memory).cast("B")
    if bytes(view[:8]) != MAGIC or int.from_bytes(view[8:12], "little") != 1:
        raise ValueError(f"shared-memory segment {segment_id} is not one of drp's, version 1")
    if writable:
        return view
    # NumPy asks whoever owns the memory whether an array may be made writable, and a view of a view is owned by the
    # first: by an array of ctypes it always may. By an array that is read-only itself it never may.
    return np.frombuffer(view.toreadonly(), np.uint8).data
