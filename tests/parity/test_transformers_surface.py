"""Public names and parameters of transformers' classes exist here, or docs/coming-from/transformers.md lists them."""

import inspect
import re
from pathlib import Path

import pytest
import torch

import tiepoint.huggingface as ours

transformers = pytest.importorskip("transformers")

PAGE = Path(__file__).parents[2] / "docs/coming-from/transformers.md"
SECTION = "## Names that do not exist here"

PAIRS = {
    "LightGlueConfig": ours.LightGlueConfig,
    "SuperPointConfig": ours.SuperPointConfig,
    "LightGlueForKeypointMatching": ours.LightGlueForKeypointMatching,
    "SuperPointForKeypointDetection": ours.SuperPointForKeypointDetection,
    "models.lightglue.modeling_lightglue.LightGlueKeypointMatchingOutput": ours.LightGlueKeypointMatchingOutput,
    "models.superpoint.modeling_superpoint.SuperPointKeypointDescriptionOutput": (
        ours.SuperPointKeypointDescriptionOutput
    ),
    "LightGlueImageProcessor": ours.LightGlueImageProcessorFast,
    "LightGlueImageProcessorPil": ours.LightGlueImageProcessorPil,
    "SuperPointImageProcessor": ours.SuperPointImageProcessorFast,
    "SuperPointImageProcessorPil": ours.SuperPointImageProcessorPil,
    "KeypointMatchingPipeline": ours.KeypointMatchingPipeline,
    "AutoConfig": ours.AutoConfig,
    "AutoModel": ours.AutoModel,
    "AutoModelForKeypointMatching": ours.AutoModelForKeypointMatching,
    "AutoModelForKeypointDetection": ours.AutoModelForKeypointDetection,
    "AutoImageProcessor": ours.AutoImageProcessor,
    "BatchFeature": ours.BatchFeature,
}
"""Class of transformers -> class here."""

OF_MODULES = set(dir(torch.nn.Module)) - {"forward"}


def theirs(name: str) -> type:
    found = transformers
    for part in name.split("."):
        found = getattr(found, part)
    return found


def listed() -> set[str]:
    """Return the names in backticks in the tables of the page's section."""
    section = PAGE.read_text().partition(SECTION)[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("|")]
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row)}


def public(cls: type) -> set[str]:
    names = {*dir(cls), *getattr(cls, "__dataclass_fields__", {})}
    return {name for name in names if not name.startswith("_")} - OF_MODULES


def missing_names(name: str) -> set[str]:
    missing = public(theirs(name)) - public(PAIRS[name])
    if not missing or not name.endswith(("ImageProcessor", "ImageProcessorPil")):
        return missing
    processor = PAIRS[name]()  # some settings are attributes of objects only
    return {each for each in missing if not hasattr(processor, each)}


def missing_parameters(name: str, method: str) -> set[str]:
    """Return the parameters of a method that tiepoint's does not take, by name or among its keyword options."""
    expected, actual = (getattr(cls, method, None) for cls in (theirs(name), PAIRS[name]))
    if not inspect.isroutine(expected) or not inspect.isroutine(actual):
        return set()
    try:
        theirs_, mine = (inspect.signature(each).parameters for each in (expected, actual))
    except ValueError:  # written in C
        return set()
    if any(each.kind is inspect.Parameter.VAR_KEYWORD for each in mine.values()):
        return set()
    variable = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    return {each.name for each in theirs_.values() if each.kind not in variable} - set(mine)


@pytest.mark.parametrize("name", PAIRS)
def test_names_exist_or_are_listed(name: str):
    assert sorted(missing_names(name) - listed()) == []


@pytest.mark.parametrize("name", PAIRS)
def test_parameters_exist_or_are_listed(name: str):
    methods = public(theirs(name)) & public(PAIRS[name])
    missing = {f"{method}({each}=)" for method in methods for each in missing_parameters(name, method)}
    assert sorted(missing - listed()) == []


def test_nothing_is_listed_that_exists():
    missing: set[str] = set()
    for name, mine in PAIRS.items():
        missing |= missing_names(name)
        for method in public(theirs(name)) & public(mine):
            missing |= {f"{method}({each}=)" for each in missing_parameters(name, method)}
    assert sorted(listed() - missing) == []
