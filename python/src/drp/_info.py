"""`drp_info`: where a script runs and on which detector, under psana's name."""

from __future__ import annotations

from typing import Any

from ._config import Config


class Info:
    """What is known about this worker. The det_... attributes are set when Configure has arrived."""

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

    def _configure(self, config: Config) -> None:
        found = config.camera()
        det = found[0] if found else config.detector or next(iter(config.detectors()), "")
        names = [n for n in config.of(det) if not found or n.alg == found[1]]
        if names:
            self.det_name, self.det_type, self.det_id = det, names[0].det_type, names[0].det_id
            self.det_segment = names[0].segment

    def _hello(self, hello: dict[str, Any]) -> None:
        self.worker_num = hello["worker"]
        self.num_workers = hello["workers"]
        self.pebble_bufsize = hello["raw"]["slot_bytes"]
        self.transition_bufsize = hello["transitions"]["slot_bytes"]
        self.instrument = str(hello.get("expt") or "")[:3]
        self.is_supervisor = self.worker_num == 0

    def __repr__(self) -> str:
        return f"<drp_info {vars(self)}>"


drp_info = Info()
