"""Measured values of options, and recommendations."""

from types import SimpleNamespace

import pytest
import torch

from tiepoint.api import Matcher
from tiepoint.bench import Seconds, Trial, Tuning, tune_pruning, tune_threads, tuning
from tiepoint.errors import InvalidInput
from tiepoint.image import Image
from tiepoint.matching.lightglue import LightGlueMatcher
from tiepoint.matching.mutual_nearest import NearestMatcher
from tiepoint.models.lightglue.inference import AdaptiveInference
from tiepoint.models.lightglue.network import LightGlue, LightGlueShape
from tiepoint.types import Features

KEYPOINTS = 40
IMAGES = tuple(Image(pixels=torch.full((3, 20, 30), k, dtype=torch.uint8)) for k in (1, 2))


class FoundMatcher(Matcher):
    """Detects `KEYPOINTS` keypoints without a network; records the image sizes."""

    def __init__(self, matcher: LightGlueMatcher | NearestMatcher) -> None:
        self.extractor = SimpleNamespace(  # type: ignore[assignment]
            device=torch.device("cpu"), settings=SimpleNamespace(stretch=None)
        )  # type: ignore[assignment]
        self.matcher = matcher
        self.sizes: list[tuple[int, int]] = []

    def extract(self, image: Image, **options: object) -> Features:  # type: ignore[override]
        self.sizes.append(image.image_size)
        return Features(
            keypoints=torch.rand(KEYPOINTS, 2) * 19,
            scores=torch.ones(KEYPOINTS),
            descriptors=torch.nn.functional.normalize(torch.randn(KEYPOINTS, 16)),
            image_size=image.image_size,
        )


def lightglue(**adaptivity: float) -> LightGlueMatcher:
    torch.manual_seed(0)
    network = LightGlue(LightGlueShape(input_dim=16, dim=16, layers=2, heads=1))
    return LightGlueMatcher(network, adaptivity=AdaptiveInference(**adaptivity))


def tuned(*totals: tuple[float, ...]) -> Tuning:
    """Values 0, 10, 20, ... with one pair each; the first is the default."""
    trials = (Trial(value=10 * k, pairs={"pair": Seconds(runs)}) for k, runs in enumerate(totals))
    return Tuning(option="threads", trials=tuple(trials))


def test_the_fastest_is_recommended() -> None:
    report = tuned((1.0, 1.1, 1.0), (0.5, 0.5, 0.6), (0.8, 0.8, 0.8))
    assert report.recommended.value == 10
    assert report.speedup(report.recommended) == pytest.approx(2.0)
    assert report.speedup(report.default) == 1.0


@pytest.mark.parametrize(
    "runs",
    [(0.99, 0.98, 0.99), (0.2, 0.3, 1.5, 1.2), (1.2, 1.3, 1.2)],
    ids=["hardly quicker", "not surely", "slower"],
)
def test_the_default_is_kept_unless_another_is_reliably_faster(runs: tuple[float, ...]) -> None:
    report = tuned((1.0,) * len(runs), runs)
    assert report.recommended is report.default


def test_all_pairs_count_together() -> None:
    pairs = {"easy pair": Seconds((1.0, 2.0)), "hard pair": Seconds((10.0, 20.0))}
    assert Trial(value=0, pairs=pairs).total.runs == (11.0, 22.0)


def test_json_contains_every_value_and_the_recommendation() -> None:
    record = tuned((1.0, 1.0), (0.5, 0.5)).to_dict()
    assert (record["option"], record["default"], record["recommended"]) == ("threads", 0, 10)
    assert [(trial["value"], trial["gain"]) for trial in record["trials"]] == [(0, 1.0), (10, 2.0)]
    assert record["trials"][1]["seconds"]["pair"]["runs"] == [0.5, 0.5]


@pytest.mark.slow
def test_pruning_thresholds_cover_always_to_never_on_an_easy_and_a_hard_pair() -> None:
    matcher = FoundMatcher(lightglue())
    before = matcher.matcher.settings  # type: ignore[union-attr]
    report = tune_pruning(matcher, IMAGES, runs=2)
    assert [trial.value for trial in report.trials] == [0, 10, 20, 30, 40]
    assert {tuple(trial.pairs) for trial in report.trials} == {("easy pair", "hard pair")}
    assert {len(trial.total.runs) for trial in report.trials} == {2}
    assert matcher.sizes == [(30, 20), (30, 20), (20, 30)]
    assert matcher.matcher.settings is before  # type: ignore[union-attr]


@pytest.mark.slow
def test_the_values_reach_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int | None] = []
    match = LightGlueMatcher.match

    def spying(self: LightGlueMatcher, pairs: list) -> list:
        tried.append(self.settings.adaptivity.pruning_min_keypoints)
        return match(self, pairs)

    monkeypatch.setattr(LightGlueMatcher, "match", spying)
    tune_pruning(FoundMatcher(lightglue()), IMAGES, runs=1)
    assert tried == [value for _ in range(2) for value in (0, 10, 20, 30, 40) for _ in range(2)]


@pytest.mark.slow
def test_the_configured_threshold_is_the_default() -> None:
    report = tune_pruning(FoundMatcher(lightglue(pruning_min_keypoints=15)), IMAGES, runs=1)
    assert [trial.value for trial in report.trials] == [15, 0, 10, 20, 30, 40]


@pytest.mark.parametrize(
    "matcher", [NearestMatcher(), lightglue(width_confidence=-1.0)], ids=["nearest", "never prunes"]
)
def test_matchers_without_pruning_cannot_be_tuned(matcher: LightGlueMatcher | NearestMatcher) -> None:
    assert not tuning.prunes(FoundMatcher(matcher))
    with pytest.raises(InvalidInput, match="pruning_min_keypoints"):
        tune_pruning(FoundMatcher(matcher), IMAGES)


@pytest.mark.parametrize(("cores", "values"), [(1, {1}), (2, {1, 2}), (6, {1, 2, 4, 6}), (8, {1, 2, 4, 8})])
def test_threads_are_doubled_up_to_the_number_of_cores(
    cores: int, values: set[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tuning, "available_cores", lambda: cores)
    before = torch.get_num_threads()
    report = tune_threads(FoundMatcher(NearestMatcher()), IMAGES, runs=1)
    assert report.default.value == before
    assert {trial.value for trial in report.trials} == values | {before}
    assert torch.get_num_threads() == before
