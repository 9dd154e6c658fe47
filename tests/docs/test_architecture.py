"""docs/architecture.md is true: the path from `tiepoint.match` to attention, the layers, the tree."""

import re
import tomllib
import traceback

import pytest
from skimage.data import stereo_motorcycle
from tests.helpers.paths import DOCS, REPOSITORY, SOURCE
from torch.nn import functional

import tiepoint

TEXT = (DOCS / "architecture.md").read_text(encoding="utf-8")
PACKAGE = SOURCE / "tiepoint"


@pytest.fixture
def path_to_attention(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """File and function of each frame of this package at the first call of attention."""
    attention = functional.scaled_dot_product_attention
    paths: list[list[tuple[str, str]]] = []

    def spy(*arguments, **options):
        frames = [frame.f_code for frame, _ in traceback.walk_stack(None)]
        ours = [code for code in frames if code.co_filename.startswith(str(PACKAGE))]
        paths.append([(code.co_filename[len(str(PACKAGE)) + 1 :], code.co_qualname) for code in ours[::-1]])
        return attention(*arguments, **options)

    monkeypatch.setattr(functional, "scaled_dot_product_attention", spy)
    tiepoint.match(*stereo_motorcycle()[:2], max_keypoints=64, resize=256, device="cpu")
    return paths[0]


@pytest.mark.weights
def test_the_path_from_match_to_attention(path_to_attention: list[tuple[str, str]]) -> None:
    table = TEXT.split("## From `tiepoint.match` to attention")[1].split("\n## ")[0]
    assert path_to_attention == re.findall(r"^\| `([\w/.]+)` \| `([\w.]+)` \|", table, re.MULTILINE)


def test_layers_are_those_that_are_checked() -> None:
    configuration = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    layers = configuration["tool"]["importlinter"]["contracts"][0]["layers"]
    (block,) = re.findall(r"## Layers.*?```text\n(.*?)```", TEXT, re.DOTALL)
    assert block.splitlines() == layers


def test_the_tree_has_every_package() -> None:
    tree = TEXT.split("## The tree")[1].split("\n## ")[0]
    packages = [path.parent.name for path in PACKAGE.glob("*/__init__.py")]
    assert [name for name in packages if f"{name}/" not in tree] == []
    named = re.findall(r"\b([a-z_]+)\.py\b", tree)
    assert [name for name in named if not any(PACKAGE.rglob(f"{name}.py"))] == []
