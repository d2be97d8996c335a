"""The examples in the documents run, over a small made-up file of the camera they assume."""

import os
import re
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT
from harness import BEGIN_RUN, BEGIN_STEP, CONFIGURE, INFO, L1, SCAN, SRC, dgram, shapes_data

import drp
from drp import _xtc
from drp._xtc import Entry, Names

CAMERA = [Names(0x100 + s, "epix10ka", "epixhr", f"{s}", "raw", (2, 0, 1), s, (Entry("raw", 1, 2),)) for s in range(2)]
DOCUMENTS = ["README.md", "docs/python.md", "python/README.md"]


def examples():
    found = []
    for name in DOCUMENTS:
        blocks = re.findall(r"```python\n(.*?)```", (ROOT / name).read_text(), re.DOTALL)
        for number, block in enumerate(blocks):
            if "import" in block and ("DataSource(" in block or "@drp.fex" in block):
                found.append(pytest.param(block, id=f"{name}-{number}"))
    assert len(found) >= 8
    return found


@pytest.fixture(scope="module")
def run_file(tmp_path_factory):
    names = b"".join(map(_xtc.encode_names, (*CAMERA, INFO, SCAN)))
    dgrams = [dgram(CONFIGURE, 1, names), dgram(BEGIN_RUN, 2, shapes_data(INFO, "xpptut15", 14))]
    dgrams.append(dgram(BEGIN_STEP, 3, shapes_data(SCAN, 41.0, "a step")))
    for k in range(3):
        frame = np.arange(352 * 384).reshape(352, 384) % 1000 + k
        dgrams.append(dgram(L1, 1 << 32 | k, b"".join(shapes_data(n, frame) for n in CAMERA)))
    path = tmp_path_factory.mktemp("docs") / "run.xtc2"
    path.write_bytes(b"".join(dgrams))
    return path


@pytest.mark.parametrize("example", examples())
def test_example(example, run_file, tmp_path):
    script, out = tmp_path / "script.py", tmp_path / "out.xtc2"
    script.write_text(example.replace('"epixquad"', '"epixhr"'))  # the examples name different cameras
    env = {**os.environ, "PYTHONPATH": str(SRC), "DRP_FILES": str(run_file), "DRP_OUT": str(out)}
    command = [sys.executable, "-W", "error", "-m", "drp", str(script), "100", "120"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert sum(d.service == L1 for d in drp.open_xtc(out)) == 3
