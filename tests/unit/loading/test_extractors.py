"""Weights of one's own for the extractor and the matcher of a preset."""

from pathlib import Path

import pytest
import torch
from tests.helpers.errors import one_line

import tiepoint
from tiepoint.api import load
from tiepoint.errors import InvalidInput, WeightsError

pytestmark = pytest.mark.weights


def save(folder: Path, what: str) -> Path:
    path = folder / f"{what}.pth"
    if what == "damaged":
        path.write_bytes(b"\x80\x02 no checkpoint \x00" * 100)
    elif what == "empty":
        path.touch()
    elif what == "foreign":
        torch.save({f"layer{k}.weight": torch.zeros(3) for k in range(40)}, path)
    elif what == "list":
        torch.save([torch.zeros(3)], path)
    return path


@pytest.mark.parametrize("what", ["damaged", "empty", "foreign", "list"])
@pytest.mark.parametrize("role", ["extractor_weights", "matcher_weights"])
def test_a_file_that_holds_something_else_is_an_error(tmp_path: Path, what: str, role: str) -> None:
    with pytest.raises(WeightsError) as error:
        load(**{role: save(tmp_path, what)})
    one_line(error)


@pytest.mark.parametrize("preset", ["aliked+lightglue", "disk+lightglue"])
@pytest.mark.parametrize("role", ["extractor_weights", "matcher_weights"])
def test_a_missing_file_is_an_error_that_names_it(role: str, preset: str) -> None:
    with pytest.raises(InvalidInput, match=r"mine\.pth") as error:
        load(preset, **{role: "mine.pth"})
    one_line(error)


@pytest.mark.parametrize("role", ["extractor_weights", "matcher_weights"])
def test_the_weights_of_the_other_role_are_an_error(role: str) -> None:
    other = {"extractor_weights": "aliked_lightglue", "matcher_weights": "aliked-n16"}[role]
    with pytest.raises(WeightsError) as error:
        load(**{role: other})
    one_line(error)


def test_a_copy_of_the_published_weights_is_equivalent(tmp_path: Path) -> None:
    copy = tmp_path / "mine.pth"
    copy.write_bytes(tiepoint.weights.resolve("aliked-t16").read_bytes())
    published, mine = load("aliked-t16+nearest"), load("aliked-t16+nearest", extractor_weights=copy)
    assert mine.extractor.settings.kind == published.extractor.settings.kind
    assert mine.extractor.fingerprint == published.extractor.fingerprint


def test_other_weights_are_another_kind(tmp_path: Path) -> None:
    published = load("aliked-t16+nearest")
    changed = {name: tensor + 0.001 for name, tensor in published.extractor.network.state_dict().items()}
    torch.save(changed, tmp_path / "mine.pth")
    mine = load("aliked-t16+nearest", extractor_weights=tmp_path / "mine.pth")
    assert mine.extractor.settings.kind != published.extractor.settings.kind
    assert mine.extractor.settings.kind.startswith("aliked-t16@")
