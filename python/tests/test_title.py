"""What the system shows as the name of a child."""

from pathlib import Path

from harness import configure, event

SOURCE = """
from drp import DataSource
for run in DataSource().runs():
    for evt in run.events():
        evt.reject()
"""
WORDS = ["argument"] * 9  # which leave room for the name of the detector


def title(d):
    path = Path(f"/proc/{d.process.pid}")
    return (path / "cmdline").read_text().rstrip("\0"), (path / "comm").read_text().strip()


def test_a_worker_names_detector_and_script(drp):
    with drp(SOURCE, *WORDS) as d:
        assert title(d) == (" ".join(["drp worker 0 script.py", *WORDS]), "drp-0 script.py")
        d.begin()
        assert d.events([event(1)])[0].status == 1
        assert title(d)[0] == " ".join(["drp worker 0 cam script.py", *WORDS])
        d.end()


def test_a_spare_says_so_until_it_is_a_worker(drp):
    with drp(SOURCE, *WORDS, spare=True) as d:
        assert title(d) == (" ".join(["drp worker spare script.py", *WORDS]), "drp-s script.py")
        assert d.replay(configure()) == 0
        d.attach(worker=3)
        assert title(d) == (" ".join(["drp worker 3 cam script.py", *WORDS]), "drp-3 script.py")


def test_a_title_that_is_too_long_is_cut(drp):
    with drp(SOURCE, "x" * 4000) as d:
        d.begin()
        shown, short = title(d)
        assert shown.startswith("drp worker 0 cam script.py xxx")
        assert len(shown) > 3900
        assert short == "drp-0 script.py"
        d.end()
