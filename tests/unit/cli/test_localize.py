"""`tiepoint localize`."""

import json
from pathlib import Path

import pytest
from tests.helpers.localization_scenes import FixedFeaturesMatcher
from tests.helpers.synthetic_collections import make_collection, write_image
from typer.testing import CliRunner

from tiepoint.cli import app
from tiepoint.collection.sfm import localization
from tiepoint.collection.sfm.reconstruction import reconstruct
from tiepoint.errors import InvalidInput


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_collection(tmp_path_factory.mktemp("made"))[0].folder


def run(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.slow
def test_options_and_summary(out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    collection, scene = make_collection(tmp_path, leave_out="e.jpg")
    reconstruct(collection)
    monkeypatch.setattr(
        localization, "_load_matcher", lambda _: FixedFeaturesMatcher(scene.features("e.jpg"))
    )
    write_image(tmp_path / "new.jpg")
    arguments = ("localize", tmp_path / "new.jpg", collection.folder)
    assert "most are shared with" in run(*arguments, "--num-images", 3)
    found = json.loads(run(*arguments, "--json", "-", "--focal", 700, "--quiet"))
    assert (found["success"], found["focal_source"]) == (True, "given")
    with pytest.raises(InvalidInput, match=r"cannot localize .* consensus"):
        run(*arguments, "--focal", 70, "--max-error-px", 0.1)
