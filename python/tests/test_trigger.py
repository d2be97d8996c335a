"""What trigger scripts see, without drp around them: the rest is tested with it (teb/script)."""

import json
import struct

import numpy as np
import pytest

import drp
from drp._feed import Failure
from drp._param import Param
from drp._trigger import VERDICT, TriggerBatch, TriggerEvent, offset
from drp._trigger_feed import Layout, TriggerFeed


def told():
    fields = [
        {"name": "photons", "type": "<u4", "len": 0, "at": 24},
        {"name": "rings", "type": "<i2", "len": 2, "at": 28},
    ]
    other = [{"name": "photons", "type": "<f4", "len": 0, "at": 24}]
    contributors = [
        {"name": "a", "at": 32, "bytes": 32, "fields": fields},
        {"name": "b", "at": 64, "bytes": 32, "fields": other},
        {"name": "empty", "at": 96, "bytes": 24, "fields": []},
    ]
    return json.dumps(
        {"reason": 5, "events": 8, "event_bytes": 120, "settings": 1024, "contributors": contributors}
    ).encode()


def batch_of(n, seed=0, groups=1, ordinals=None):
    layout = Layout(told())
    area = np.zeros(n, layout.dtype)
    area["pulse"] = np.arange(n) + 10
    area["groups"] = groups
    layout.ordinals(area)[:] = np.arange(n) if ordinals is None else ordinals
    area["a"]["photons"], area["b"]["photons"] = np.arange(n), 0.5
    area["a"]["present"] = True
    verdicts = np.zeros(n, VERDICT)
    return TriggerBatch(layout, seed, area, (verdicts["accept"], verdicts["reason"], verdicts["monitor"])), verdicts


def test_why_it_failed_stands_behind_the_verdicts():
    feed = TriggerFeed.__new__(TriggerFeed)
    feed.area, feed.at, feed.have, feed.taken = bytearray(64), 0, True, True
    feed.rewind = feed.restart = lambda: None
    feed.skip(1, Failure(ValueError("the first"), "trigger.py"))
    feed.skip(3, Failure(ValueError("another"), "trigger.py"))
    assert json.loads(feed.said)["message"] == "the first" and feed.resume == 4
    assert np.frombuffer(feed.area, VERDICT)["reason"].tolist() == [0, 3, 0, 3, 0, 0, 0, 0]


def test_layout():
    batch, verdicts = batch_of(4)
    assert batch.events.dtype.itemsize == 120 and batch.events.dtype["a"].names == (
        "present",
        "damage",
        "photons",
        "rings",
    )
    assert batch["a"]["rings"].shape == (4, 2) and batch["empty"].dtype.names == ("present", "damage")
    assert batch.sum("photons").tolist() == [0.5, 1.5, 2.5, 3.5]
    assert batch.values("photons").tolist() == [[k, 0.5] for k in range(4)]
    batch.accept, batch.reason, batch.monitor = [True, False, True, False], 7, np.arange(4)
    assert verdicts.tolist() == [(True, 7, 0), (False, 7, 1), (True, 7, 2), (False, 7, 3)]


def test_event():
    batch, _ = batch_of(4)
    evt = TriggerEvent(batch, 2)
    assert (evt.pulse, evt["groups"], evt.a.photons, evt["b"]["photons"], evt.a.present, evt.b.present) == (
        12, 1, 2, 0.5, True, False,
    )  # fmt: skip
    assert evt.sum("photons") == 2.5 and evt.values("photons") == [2, 0.5] and evt.a.rings == [0, 0]
    for wrong in (lambda: evt.c, lambda: evt.a.nothing, lambda: evt.empty.photons, lambda: evt.sum("nothing")):
        with pytest.raises(drp.FieldError, match="there are: .*a.photons, a.rings, b.present"):
            wrong()
    with pytest.raises(AttributeError):
        evt.__array__  # noqa: B018


@pytest.mark.parametrize("n", [-1, 0, 1, 2, 7, 1 << 33])
def test_prescale(n):
    groups = np.array([1 << k for k in range(16)] + [0, 6, 0x8001, 0xFFF0], np.uint16)
    lowest = [*range(16), 0, 1, 0, 4]
    for seed in (0, 5, (1 << 64) - 1):
        batch, _ = batch_of(len(groups), seed, groups, np.arange(len(groups)) * 3)
        want = [n == 1 if n <= 1 else (3 * k + offset(seed, g, n)) % n == 0 for k, g in enumerate(lowest)]
        assert batch.prescale(n).tolist() == want
        assert [TriggerEvent(batch, k).prescale(n) for k in range(len(groups))] == want


@pytest.mark.parametrize(
    "wrong", [{"monitor": -3}, {"monitor": 1 << 32}, {"monitor": 0.5}, {"reason": -1}, {"reason": "no"}]
)
def test_result_that_cannot_be(wrong):
    ts = drp.TriggerSource.__new__(drp.TriggerSource)
    ts._at, ts._reasons, ts._numbers = (bytearray(8), 0), {}, {None: 0}
    ts._pack = struct.Struct("<?xHI").pack_into
    with pytest.raises(drp.FieldError, match=next(iter(wrong))):
        ts.result(True, **wrong)


def test_outside():
    with pytest.raises(RuntimeError, match='there is nothing to decide about: .* drp teb -t "script.py args"'):
        drp.TriggerSource()


def test_param_is_declared_before_the_loop():
    feed = TriggerFeed.__new__(TriggerFeed)
    feed.knobs, feed.frozen = [], False
    feed.declare_param(Param("least", 3, 0, None, None, "", ""))
    with pytest.raises(ValueError, match="declared twice"):
        feed.declare_param(Param("least", 4, None, None, None, "", ""))
    for k in range(63):
        feed.declare_param(Param(f"p{k}", 3, None, None, None, "", ""))
    with pytest.raises(ValueError, match="can declare 64"):
        feed.declare_param(Param("more", 3, None, None, None, "", ""))
    feed.frozen = True
    with pytest.raises(RuntimeError, match="before the loop over events"):
        feed.declare_param(Param("late", 3, None, None, None, "", ""))


def test_param_has_the_values_of_its_slot():
    feed = TriggerFeed.__new__(TriggerFeed)
    feed.layout_of, feed.knobs = (
        Layout(told()),
        [Param("n", 3, None, None, None, "", ""), Param("s", "a", None, None, None, "", "")],
    )
    feed._raw = bytearray(4096)
    feed._turn_knobs(64)
    assert [p.value for p in feed.knobs] == [3, "a"]
    at = 64 + 1024
    feed._raw[at] = 1
    feed._raw[at + 16 : at + 24] = (-7).to_bytes(8, "little", signed=True)
    feed._raw[at + 16 + 128 : at + 16 + 131] = "\u00e4b".encode()
    feed._turn_knobs(64)
    assert [p.value for p in feed.knobs] == [-7, "\u00e4b"]
