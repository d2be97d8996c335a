"""psana's place for `AlgDef` and `DetectorDef`."""

from ._run import AlgDef, DetectorDef

__all__ = ["AlgDef", "DetectorDef"]
