"""The examples of docstrings run, in a folder with small images and a matched collection.

Training and localization, which take minutes or a reconstruction, run in tests/e2e instead.
"""

import ast
import doctest
import re
import shutil
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from skimage.data import stereo_motorcycle
from tests.helpers.paths import SOURCE

import tiepoint
from tiepoint.training.config import TrainConfig
from tiepoint.video import Tracker

SMALL = {"max_keypoints": 128, "resize": 256}
ELSEWHERE = re.compile(r"tiepoint\.(train|localize|reconstruct)\(")


def examples() -> dict[str, list[str]]:
    """Statements of each docstring with examples, by module and name."""
    parser = doctest.DocTestParser()
    found = {}
    for path in sorted((SOURCE / "tiepoint").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Module):
                statements = [each.source for each in parser.get_examples(ast.get_docstring(node) or "")]
                if statements:
                    found[f"{path.relative_to(SOURCE).with_suffix('')}:{getattr(node, 'name', '')}"] = (
                        statements
                    )
    return found


EXAMPLES = examples()
RUN = {name: texts for name, texts in EXAMPLES.items() if not ELSEWHERE.search("".join(texts))}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a.jpg, b.jpg, query.jpg, and folders photos/ and frames/."""
    folder = tmp_path_factory.mktemp("examples")
    left, right, _ = stereo_motorcycle()
    for place in ("", "photos", "frames"):
        (folder / place).mkdir(exist_ok=True)
        for name, image in (("a", left), ("b", right), ("query", np.roll(left, 20, axis=1))):
            PIL.Image.fromarray(image).resize((371, 250)).save(folder / place / f"{name}.jpg")
    return folder


@pytest.fixture(scope="module")
def variables(prepared: Path) -> dict[str, Any]:
    """Variables that examples use without introducing them."""
    matcher = tiepoint.load(**SMALL)
    features = [matcher.extract(prepared / name) for name in ("a.jpg", "b.jpg")]
    (result,) = matcher.match_features([(features[0], features[1])])
    return {
        "tiepoint": tiepoint,
        "TrainConfig": TrainConfig,
        "Tracker": Tracker,
        "config": TrainConfig(),
        "image": tiepoint.read_image(prepared / "a.jpg"),
        "matcher": matcher,
        "paths": ["a.jpg", "b.jpg"],
        "result": result,
        "sift": [(each.keypoints, each.scores, each.descriptors) for each in features],
    }


@pytest.fixture
def names(
    variables: dict[str, Any], prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, Any]:
    """The variables, in a copy of the folder."""
    shutil.copytree(prepared, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return dict(variables)


@pytest.mark.weights
@pytest.mark.parametrize("name", RUN)
def test_examples_run(name: str, names: dict[str, Any], small_options: None) -> None:
    if '"out/"' in "".join(RUN[name]) and "match_collection(" not in "".join(RUN[name]):
        tiepoint.match_collection("photos/", "out/", **SMALL)
    module = import_module(name.partition(":")[0].replace("/", ".").removesuffix(".__init__"))
    for statement in RUN[name]:
        exec(compile(statement, name, "exec"), names := vars(module) | names)


@pytest.fixture
def small_options(monkeypatch: pytest.MonkeyPatch) -> None:
    """Extract at low resolution, whatever an example says."""
    from tiepoint.extraction.extractor import ExtractionSettings
    from tiepoint.loading import extractors

    def small(**settings: Any) -> ExtractionSettings:
        return ExtractionSettings(**(settings | SMALL))

    monkeypatch.setattr(extractors, "ExtractionSettings", small)


def test_most_examples_run_here() -> None:
    assert len(RUN) > 8
    assert len(EXAMPLES) - len(RUN) < 6
