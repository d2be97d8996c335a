import os
from pathlib import Path

import pytest
from harness import Drp

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def data():
    folder = Path(os.environ.get("DRP_TESTDATA") or ROOT.parent / "shared" / "data") / "xtc2"
    if not folder.is_dir():
        pytest.skip("no sample data; set DRP_TESTDATA")
    return folder


@pytest.fixture
def scripts():
    return ROOT / "scripts"


@pytest.fixture
def drp(tmp_path):
    """Make a Drp that runs the given source."""

    def make(source, *args, **options):
        path = tmp_path / "script.py"
        path.write_text(source)
        return Drp(path, *args, **options)

    return make


@pytest.fixture
def publishers(tmp_path, monkeypatch):
    """Play processes of drp that are watched, one for each segment of the camera."""
    from test_watch import Publisher

    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    folder = tmp_path / "drp" / "monitor"
    folder.mkdir(parents=True, mode=0o700)
    made = []

    def make(segment):
        path = folder / f"tst+{segment}"
        path.unlink(missing_ok=True)  # of one that has died
        p = Publisher(path)
        p.segment, p.ordinal = segment, 0
        made.append(p)
        return p

    yield make
    for p in made:
        p.close()


@pytest.fixture(autouse=True, scope="session")
def _nothing_left():
    """No shared-memory segment may outlive the tests."""
    yield
    lines = Path("/proc/sysvipc/shm").read_text().splitlines()[1:]
    assert not [line for line in lines if line.split()[4] == str(os.getpid())]
