"""`drp_info`: where a script runs and on which detector, under psana's name."""

from __future__ import annotations

import threading
from typing import Any, ClassVar

from ._config import Config


class Deferred(BaseException):
    """Ends a script that asks in a spare who it is."""


class Info:
    """What is known about this worker. The det_... attributes are set when Configure has arrived.

    `trial` says that what the script makes is thrown away: in the trial of `drp reload`, and in `drp test`.
    """

    def __init__(self) -> None:
        self.det_name = ""
        self.det_type = ""
        self.det_id = ""
        self.det_segment = 0
        self.worker_num = 0
        self.num_workers = 1
        self.pebble_bufsize = 0
        self.transition_bufsize = 0
        self.instrument = ""
        self.partition = 0
        self.is_supervisor = True
        self.trial = False

    def _configure(self, config: Config) -> None:
        found = config.camera()
        det = found[0] if found else config.detector or next(iter(config.detectors()), "")
        names = [n for n in config.of(det) if not found or n.alg == found[1]]
        if names:
            self.det_name, self.det_type, self.det_id = det, names[0].det_type, names[0].det_id
            self.det_segment = names[0].segment

    def _hello(self, hello: dict[str, Any]) -> None:
        self.num_workers = hello["workers"]
        self.transition_bufsize = hello["transitions"]["slot_bytes"]
        self.instrument = str(hello.get("expt") or "")[:3]
        self.trial = bool(hello.get("trial"))

    def _attach(self, worker: int, slot_bytes: int) -> None:
        self.worker_num = worker
        self.pebble_bufsize = slot_bytes
        self.is_supervisor = worker == 0
        self.__class__ = Info

    def __repr__(self) -> str:
        return f"<drp_info {vars(self)}>"


class SpareInfo(Info):
    """The same as long as nobody knows which worker this is. The special names are for repr, vars, copy and pickle."""

    UNKNOWN: ClassVar[frozenset[str]] = frozenset(
        {"worker_num", "pebble_bufsize", "is_supervisor", "__dict__", "__reduce_ex__"}
    )
    asked: ClassVar[bool] = False  # the script wants to know, or a thread of it does

    def __getattribute__(self, name: str) -> Any:
        if name in SpareInfo.UNKNOWN:
            SpareInfo.asked = True  # before the class is looked at: a thread that comes too late does no harm
            if type(self) is SpareInfo:
                # A thread that raises SystemExit ends without a word.
                raise Deferred if threading.current_thread() is threading.main_thread() else SystemExit
        return super().__getattribute__(name)


drp_info = Info()
