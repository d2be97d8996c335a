"""Parameters of scripts: what can be declared, and what their values are over files."""

import json
import os
import subprocess
import sys

import pytest
from harness import BEGIN_RUN, CONFIGURE, INFO, L1, SRC, dgram, shapes_data

from drp import _xtc
from drp._param import Param, declaration, given


def make(name="threshold", default=50, least=None, most=None, choices=None, unit="ADU", doc="of pixels"):
    return Param(name, default, least, most, choices, unit, doc)


def test_values():
    for default, kind in [(50, "int"), (0.5, "float"), (True, "bool"), ("sum", "str")]:
        p = make(default=default)
        assert p.value == default and type(p.value) is type(default)
        assert json.loads(declaration([p]))[0]["type"] == kind
    p = make(default=3, least=1, most=5, choices=[2, 3])
    assert float(p) == 3.0 and int(p) == 3 and bool(p) and str(p) == "3" and [0, 1, 2, 3][p] == 3
    assert not make(default=0)
    with pytest.raises(TypeError):
        [1, 2][make(default=0.0)]
    with pytest.raises(TypeError, match="compare"):
        assert p == 3
    with pytest.raises(TypeError):
        assert p > 2
    with pytest.raises(AttributeError):
        p.value = 4


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ({"name": "a b"}, ValueError, "64 letters"),
        ({"name": "generation"}, ValueError, "not 'generation'"),
        ({"name": 3}, ValueError, "the name"),
        ({"default": None}, TypeError, "allowed are int"),
        ({"default": [1]}, TypeError, "allowed are int"),
        ({"default": 2**63}, ValueError, "64 bits"),
        ({"default": float("nan")}, ValueError, "finite"),
        ({"default": 1, "least": 2}, ValueError, "less than min=2"),
        ({"default": 3, "most": 2}, ValueError, "more than max=2"),
        ({"default": 1, "least": 0.5}, TypeError, "expected int"),
        ({"default": "x", "least": 1}, ValueError, "for numbers"),
        ({"default": True, "most": True}, ValueError, "for numbers"),
        ({"default": "x", "choices": "xy"}, ValueError, "a list"),
        ({"default": "x", "choices": []}, ValueError, "a list"),
        ({"default": "x", "choices": ["y"]}, ValueError, "none of 'y'"),
        ({"default": "x" * 128}, ValueError, "127 bytes"),
        ({"doc": 7}, TypeError, "doc is 7; expected a str"),
        ({"unit": None}, TypeError, "unit is None; expected a str"),
    ],
)
def test_mistakes(arguments, error, says):
    with pytest.raises(error, match=says):
        make(**arguments)


def test_given():
    all_ = [make("a", 1), make("b", 0.5), make("c", False), make("d", "x")]
    given("a=7 b=2 c=On d='x y'", all_)
    assert [p.value for p in all_] == [7, 2.0, True, "x y"]
    for text, value in {
        "1e2": 100,
        "60.0": 60,
        "+5": 5,
        "-9223372036854775808": -(2**63),
        "007": 7,
        "1e18": 10**18,
        "9007199254740993.0": 2**53 + 1,
    }.items():
        given(f"a={text}", all_)
        assert all_[0].value == value and type(all_[0].value) is int
    given("b=.5e1 d=äö", all_)
    assert all_[1].value == 5.0 and all_[3].value == "äö"
    for words, says in [
        ("a", "name=value"),
        ("e=1", "no parameter 'e'"),
        ("c=2", "param.'c'.: '2' is no true or false"),
        ("a=x", "param.'a'.: 'x' is no whole number of 64 bits"),
        ("a=1.5", "'1.5' is no whole number"),
        ("a=1_000", "no whole number"),
        ("a=٣", "no whole number"),
        ("a=9223372036854775808", "64 bits"),
        ("b=nan", "param.'b'.: 'nan' is no finite number"),
        ("b=1e999", "no finite number"),
        ("b=1e-400", "no finite number"),
        ("b=0x1p4", "no finite number"),
        ("d=\udcff", "param.'d'.: .* is no text"),
        ("a=1 a=2", "DRP_SET: a is given twice"),
        ("d='x", "DRP_SET: .* No closing quotation"),
    ]:
        with pytest.raises(ValueError, match=says):
            given(words, all_)


SCRIPT = """
from drp import DataSource
ds = DataSource()
a = ds.param("a", 1)
for how in ("twice", "late"):
    try:
        if how == "late":
            next(ds.runs())
        ds.param("a" if how == "twice" else "b", 2)
    except (ValueError, RuntimeError) as error:
        print(error)
print(a.value)
"""


def test_when(tmp_path):
    script, data = tmp_path / "script.py", tmp_path / "run.xtc2"
    begin = dgram(BEGIN_RUN, 2, shapes_data(INFO, "xpptut15", 14))
    data.write_bytes(dgram(CONFIGURE, 1, _xtc.encode_names(INFO)) + begin + dgram(L1, 3))
    script.write_text(SCRIPT)
    env = {**os.environ, "DRP_FILES": str(data), "DRP_SET": "a=5", "PYTHONPATH": str(SRC)}
    done = subprocess.run([sys.executable, script], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "param('a') is declared twice",
        "param must be called before the loop over ds.runs() begins",
        "5",
    ]
