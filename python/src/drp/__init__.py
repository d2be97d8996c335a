"""Run a script on every datagram of an X-ray detector: under the `drp` pipeline, or over XTC2 files.

    import sys, numpy as np
    from drp import DataSource

    ds = DataSource()
    roi = ds.add_detector("epixquad", alg="roi", fields={"image": (np.uint16, 2), "sum": (np.float64, 0)})
    for run in ds.runs():
        det = run.Detector("epixquad")
        for evt in run.events():
            raw = det.raw.raw(evt)              # (segments, rows, cols), a read-only view, nothing is copied
            roi.image = raw[0, 100:164, 100:164]
            roi.sum = float(roi.image.sum())
            evt.add(roi)
            evt.remove("epixquad", "raw")
            evt.trigger(sum=roi.sum)

Events and all views read from them are valid until the loop takes the next one.
"""

import sys

try:
    import numpy
except ImportError as error:
    _sentence = (
        f"numpy is missing in {sys.executable}: pip install numpy"
        if isinstance(error, ModuleNotFoundError) and error.name == "numpy"
        else f"numpy does not load in {sys.executable}: {error}"
    )
    if sys.argv[0] == "-m":  # python -m drp, which the pipeline starts: a sentence says more than a traceback
        print(_sentence, file=sys.stderr)
        sys.exit(3)
    raise ImportError(_sentence, name="numpy") from error
del numpy, sys

from ._errors import (
    ConstantsError,
    FieldError,
    HitsError,
    MissingDataError,
    MonitorError,
    ResultTooLarge,
    ScriptEnded,
    XtcError,
)
from ._event import Batch, Event
from ._fex import fex, param, run
from ._info import drp_info
from ._monitor import Monitor, monitor
from ._param import Param
from ._run import AlgDef, DataSource, DetectorDef, Run, Step
from ._trigger import TriggerBatch, TriggerEvent, TriggerSource
from ._version import __version__
from ._xtc import EnumValue, TransitionId
from .xtc import open_xtc

__all__ = [
    "AlgDef",
    "Batch",
    "ConstantsError",
    "DataSource",
    "DetectorDef",
    "EnumValue",
    "Event",
    "FieldError",
    "HitsError",
    "MissingDataError",
    "Monitor",
    "MonitorError",
    "Param",
    "ResultTooLarge",
    "Run",
    "ScriptEnded",
    "Step",
    "TransitionId",
    "TriggerBatch",
    "TriggerEvent",
    "TriggerSource",
    "XtcError",
    "__version__",
    "drp_info",
    "fex",
    "monitor",
    "open_xtc",
    "param",
    "run",
]
