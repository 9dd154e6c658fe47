"""The parity report: it compares what it says, and refuses graphs that compute something else."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from tests.helpers.tiny_bundles import COUNTS, noise, tiny_source

from tiepoint.errors import InvalidInput
from tiepoint.exporting.comparison import Comparison, Rule
from tiepoint.exporting.parity import RULES, ParityReport, check_parity, measure_parity
from tiepoint.runtimes.bundle import open_bundle
from tiepoint.runtimes.manifest import PARITY


def report(**values: float) -> ParityReport:
    comparison = Comparison(
        stage="single", input="640 x 480 px" if "real" in values else "random", counts=(1000, 1000), decisions=1000, differing=0, scores=1000,
        rare=int(values.get("rare", 0)), max_score_difference=values.get("score", 0.0),
    )  # fmt: skip
    return ParityReport(
        runtime="a runtime",
        rule=Rule(),
        differing_per_10000=values.get("differing", 0.0),
        max_score_difference=values.get("score", 0.0),
        comparisons=(comparison,),
    )


def test_tiny_bundle_agrees(tiny_bundle: Path) -> None:
    written = json.loads((tiny_bundle / PARITY).read_text())
    assert written["differing_per_10000"] == 0
    stages = [(one["stage"], tuple(one["counts"])) for one in written["comparisons"]]
    assert [counts for stage, counts in stages if stage == "adaptive"] == list(COUNTS)
    assert [counts for stage, counts in stages if stage == "single"] == list(COUNTS)
    assert next(counts[0] for stage, counts in stages if stage == "extraction") > 20


def test_other_weights_are_refused(tiny_bundle: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_bundle, tmp_path / "copy"))
    shutil.copy(folder / "layer_1.onnx", folder / "layer_0.onnx")
    wrong = measure_parity(tiny_source(), open_bundle(folder, verify=False), [noise()], "a runtime", COUNTS)
    assert wrong.differing_per_10000 > 10
    with pytest.raises(InvalidInput, match="do not agree with the package in a runtime"):
        check_parity(wrong)


@pytest.mark.parametrize(
    "values", [{"differing": 10.5}, {"score": 6e-3}, {"score": 2e-3, "real": 1}, {"rare": 6}]
)
def test_rule(values: dict[str, float]) -> None:
    check_parity(report())
    with pytest.raises(InvalidInput, match="no bundle was written"):
        check_parity(report(**values))


@pytest.mark.parametrize(
    ("differing", "keypoints", "precision", "is_refused"),
    [
        (3, 118, "float32", False),
        (20, 118, "float32", True),
        (40, 4096, "float32", False),
        (41, 4096, "float32", True),
        (41, 4096, "float16", False),
    ],
)
def test_keypoints_are_judged_by_themselves(
    differing: int, keypoints: int, precision: str, is_refused: bool
) -> None:
    """They are few among the decisions between random features."""
    matching = report().comparisons[0]
    images = replace(matching, stage="extraction", decisions=keypoints, differing=differing)
    judged = replace(report(differing=9.0), comparisons=(images, matching), rule=RULES[precision])
    if not is_refused:
        check_parity(judged)
        return
    with pytest.raises(InvalidInput, match=f"{differing} of {keypoints} keypoints differ"):
        check_parity(judged)
