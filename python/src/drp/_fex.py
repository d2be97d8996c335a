"""The short form of a script: a function with a decorator, called for every event."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from ._param import Param

_F = TypeVar("_F", bound=Callable[..., Any])


@dataclass(frozen=True)
class _Spec:
    function: Callable[..., Any]
    detector: str | None
    alg: str
    version: tuple[int, int, int]
    fields: Mapping[str, Any]
    removes: tuple[str, ...]


_specs: list[_Spec] = []
_params: list[Param] = []
_ran = False


def fex(
    detector: str | None = None,
    *,
    alg: str | None = None,
    version: tuple[int, int, int] = (1, 0, 0),
    fields: Mapping[str, Any],
    removes: str | Iterable[str] = (),
) -> Callable[[_F], _F]:
    """Call the function as `f(evt, raw)` for every event and record the dictionary of fields it returns.

    `detector` None is the first camera, `alg` None the name of the function. `raw` is what `det.raw.raw(evt)` gives,
    None if the event lacks the detector. The function returns a dictionary with every field, None to add nothing, or
    False to reject the event. `removes` names algs of the detector to leave out of the record of every event that the
    function returns a dictionary for. An exception fails the event at hand only; the state of the module is kept.
    """

    def register(function: _F) -> _F:
        algs = (removes,) if isinstance(removes, str) else tuple(removes)
        _specs.append(_Spec(function, detector, alg or function.__name__, version, dict(fields), algs))
        return function

    return register


def param(
    name: str,
    default: Any,
    *,
    min: Any = None,  # noqa: A002
    max: Any = None,  # noqa: A002
    choices: Any = None,
    unit: str = "",
    doc: str = "",
) -> Param:
    """Declare a parameter for functions with `@drp.fex`, as `ds.param` does for scripts with a `DataSource`."""
    made = Param(name, default, min, max, choices, unit, doc)
    _params.append(made)
    return made


def registered() -> bool:
    """Say whether the script has functions with `@fex`."""
    return bool(_specs)


def was_run() -> bool:
    """Say whether the script called `run` by itself."""
    return _ran


def forget() -> None:
    """Forget the functions of a script before it is loaded again."""
    _specs.clear()
    _params.clear()


def run(files: Any = None) -> None:
    """Run the functions with `@fex` on all runs. Under drp and `python -m drp` this happens by itself."""
    from ._run import DataSource

    if not _specs:
        raise RuntimeError("no function has the decorator @drp.fex")
    global _ran
    _ran = True
    source = DataSource(files=files)
    for made in _params:
        source._feed.declare_param(made)
    camera = source._config.camera()
    work = []
    for spec in _specs:
        name = spec.detector or (camera[0] if camera else None)
        if name is None:
            raise RuntimeError("there is no camera in this data; name a detector: @drp.fex('name', ...)")
        result = source.add_detector(name, alg=spec.alg, version=spec.version, fields=spec.fields)
        work.append((spec, name, result))
    for this in source.runs():
        calls = [(spec, name, result, _image(this.Detector(name), name, source)) for spec, name, result in work]
        for evt in this.events():
            try:
                for spec, name, result, read in calls:
                    _call(evt, spec, name, result, read)
            except Exception as error:
                if not source._feed.restarts:
                    traceback.print_exc()
                source._feed.fail(error)


def _call(evt: Any, spec: _Spec, name: str, result: Any, read: Any) -> None:
    values = spec.function(evt, read(evt))
    if values is None:
        return
    if values is False:
        evt.reject()
        return
    if not isinstance(values, Mapping):
        raise TypeError(
            f"{spec.function.__name__} returned {type(values).__name__}; expected a dict of fields, None or False"
        )
    result._clear()
    result._set(values)
    evt.add(result)
    for alg in spec.removes:
        evt.remove(name, alg)


def _image(detector: Any, name: str, source: Any) -> Any:
    raw = getattr(detector, "raw", None)
    found = getattr(raw, "raw", None)
    if found is not None:
        return found
    config = source._config
    for names in config.of(name):
        for entry in names.entries:
            if entry.rank >= 2 and names.alg in detector.__dict__:
                target = getattr(detector, names.alg)
                for part in entry.name.split("."):
                    target = getattr(target, part)
                return target
    raise RuntimeError(f"detector {name} has no images; read its fields with run.events() instead")
