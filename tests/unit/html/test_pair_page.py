"""pair.html: escaping, size, atomic writing."""

import errno
import json
import re
from pathlib import Path

import numpy as np
import pytest
from tests.helpers.viewer_pairs import SIZE, estimate_of, images, save_pair, shifted_pair

from tiepoint.errors import InvalidInput
from tiepoint.html.pair_page import check_page_path, is_page, render_pair
from tiepoint.html.rendering import viewer_script
from tiepoint.image import read_image

NASTY = "a\"'</script><script>alert(1)</script>&.jpg".replace("/", "")


def embedded(page: str) -> dict:
    (text,) = re.findall(r'<script type="application/json" id="pair">(.*?)</script>', page, re.DOTALL)
    return json.loads(text)


def test_page_embeds_the_data_and_the_viewer(tmp_path: Path) -> None:
    page = save_pair(tmp_path / "pair.html").read_text(encoding="utf-8")
    image0, image1 = images()
    data = shifted_pair().viewer_data(image0=image0, image1=image1)
    assert embedded(page)["keypoints"] == data["keypoints"]
    assert viewer_script() in page
    assert page.count("<script") == page.count("</script>") == 3


def test_names_cannot_break_out_of_the_page(tmp_path: Path) -> None:
    page = save_pair(tmp_path / "pair.html", source0=NASTY, source1="</title>").read_text(encoding="utf-8")
    assert page.count("<script") == page.count("</script>") == 3
    assert "alert(1)<" not in page
    assert embedded(page)["images"][0]["name"] == NASTY


def test_names_that_are_not_unicode(tmp_path: Path) -> None:
    page = save_pair(tmp_path / "pair.html", source0="a\udcff.jpg").read_text(encoding="utf-8")
    assert embedded(page)["images"][0]["name"] == "a\udcff.jpg"


def test_a_full_disk_leaves_the_previous_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "pair.html"
    path.write_text("previous")

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(InvalidInput, match="No space left on device"):
        save_pair(path)
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("pair.html", "previous")]


def test_only_pages_are_written(tmp_path: Path) -> None:
    assert is_page("pair.HTML")
    assert is_page(tmp_path / "pair.htm")
    with pytest.raises(InvalidInput, match=r"pair\.png"):
        check_page_path(tmp_path / "pair.png")
    with pytest.raises(InvalidInput, match="nowhere"):
        check_page_path(tmp_path / "nowhere" / "pair.html")


def test_a_usual_pair_is_below_3_mb() -> None:
    """Noise, the worst case for JPEG, at the resolution of a camera and with 2048 keypoints."""
    noise = np.random.default_rng(0).integers(0, 256, (SIZE[1], SIZE[0], 3), dtype=np.uint8)
    image = read_image(np.kron(noise, np.ones((8, 8, 1), np.uint8)))
    data = shifted_pair().viewer_data(estimate_of(), image0=noise, image1=noise)
    from tiepoint.html.embedding import embed_image

    large = embed_image(image).url
    for entry in data["images"]:
        entry["src"] = large
    assert len(render_pair(data)) < 3_000_000


def test_the_viewer_is_below_300_kb_and_needs_no_network() -> None:
    script = viewer_script()
    assert 10_000 < len(script) < 300_000
    assert not re.findall(
        r"https?://|</script|\bfetch\(|XMLHttpRequest|WebSocket|importScripts|\beval\(", script
    )
