"""What the system shows as the name of this process, in `ps` and `top`."""

from __future__ import annotations

import ctypes

PR_SET_NAME = 15
SHORT = 15  # what the system keeps of a short name


def set_title(title: str, short: str) -> None:
    """Write a title over the command line of this process, as much as fits, and give it a short name.

    The memory of the command line is what the system reads for `ps`; Python has copies of what was in it.
    """
    try:
        with open("/proc/self/stat", "rb") as f:
            fields = f.read().rpartition(b")")[2].split()  # the name, which may hold anything, is in brackets
        begin, end = (int(fields[i]) for i in (45, 46))  # arg_start and arg_end
        if 0 < begin < end:
            room = end - begin
            ctypes.memmove(begin, title.encode()[: room - 1].ljust(room, b"\0"), room)
        ctypes.CDLL(None).prctl(PR_SET_NAME, short.encode()[:SHORT], 0, 0, 0)
    except (OSError, ValueError, IndexError, AttributeError):
        pass  # another system, or a sandbox: it goes without
