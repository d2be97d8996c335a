"""Corrected pixels of events of a run that is watched: where the raw ones are, and what those are made with."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from . import _xtc
from ._calib import Constants
from ._config import Config
from ._correct import CONFIGURED, Corrector, model_of
from ._errors import ConstantsError


class Maker:
    """What makes the corrected pixels of a detector, from when a run or step begins until the next."""

    def __init__(self, config: Config, det: str, constants: Constants) -> None:
        self._names = [n for n in config.of(det, "raw") if "raw" in n.index]
        det_type = self._names[0].det_type
        common = json.loads(constants.told.get("common_mode") or "null")
        configs = []
        if model_of(det_type).coding == CONFIGURED:
            for names in self._names:
                told = config.values(n for n in config.of(det, "config") if n.segment == names.segment)
                if not (hasattr(told, "asicPixelConfig") and hasattr(told, "trbit")):
                    raise ConstantsError(
                        f"{det}: nothing tells how the pixels of segment {names.segment} are configured"
                    )
                configs.append((told.asicPixelConfig, told.trbit))
        try:
            self._corrector = Corrector(det_type, constants.arrays, common, configs)
        except ValueError as error:
            raise ConstantsError(f"{det}: its pixels cannot be corrected: {error}") from error

    def event(self, base: Any, off: int, layout: _xtc.Layout) -> np.ndarray[Any, Any]:
        """Correct those of an event, (segments, rows, cols) float32; segments that it lacks are 0."""
        shape = self._corrector.shape
        made = np.zeros(shape, np.float32)
        apart = len(self._names) == shape[0]  # else one block has all
        for at, names in enumerate(self._names):
            if names.id not in layout:
                continue
            raw = _xtc.read_field(base, off, names, layout.places(base, off, names.id), names.index["raw"])
            if raw.shape[-2:] != shape[1:]:
                continue
            first = at if apart else 0
            for k, segment in enumerate(raw.reshape(-1, *shape[1:])[: 1 if apart else shape[0]]):
                made[first + k] = self._corrector.segment(first + k, segment)
        made.flags.writeable = False
        return made
