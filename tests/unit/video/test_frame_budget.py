"""Latency budget of frames: extraction and both matches of a frame share it."""

import pytest
from tests.helpers.colored_dots import SHIFT, dots, make_matcher
from tests.helpers.cost_models import FREE, FakeClock, costs

from tiepoint.errors import InvalidInput
from tiepoint.image import read_image
from tiepoint.matcher import Matcher
from tiepoint.matching.latency.budget import LatencyBudget, PairClock
from tiepoint.video import Tracker
from tiepoint.video.frame_budget import FIRST_MATCH_SHARE, FrameBudget


def matcher(milliseconds: float, clock: FakeClock | None = None) -> Matcher:
    plain = make_matcher(None)
    model = costs(layers=0, layer=FREE)
    return Matcher(
        plain.extractor, plain.matcher, budget=LatencyBudget(milliseconds, model, clock or FakeClock())
    )


def test_frames_are_tracked_as_without_a_budget() -> None:
    images = [read_image(dots((k * SHIFT[0], k * SHIFT[1]))) for k in range(3)]
    limited, plain = Tracker(matcher(10_000)), Tracker(make_matcher(None))
    assert isinstance(limited.matcher, FrameBudget)
    for image in images:
        found, expected = limited.step(image), plain.step(image)
        assert found.track_ids.tolist() == expected.track_ids.tolist()
        assert found.points.tolist() == expected.points.tolist()


def test_both_matches_of_a_frame_end_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = FakeClock()
    frames = FrameBudget(matcher(100, clock))
    ends: list[float] = []
    match = Matcher.match_within

    def spy(self: Matcher, pair: tuple, pair_clock: PairClock):
        ends.append(pair_clock.end)
        return match(self, pair, pair_clock)

    monkeypatch.setattr(Matcher, "match_within", spy)
    start = clock.now
    first = frames.extract(read_image(dots()))
    clock.now += 0.020
    frames.match_features([(first, first)])
    clock.now += 0.010
    frames.match_features([(first, first)])
    assert ends == [
        pytest.approx(start + 0.020 + FIRST_MATCH_SHARE * 0.074),
        pytest.approx(start + 0.094),
    ]
    clock.now += 5
    frames.extract(read_image(dots()))
    frames.match_features([(first, first)])
    assert ends[2] > ends[1] + 4


def test_a_frame_takes_one_extraction() -> None:
    """10 ms per image: two of them would not fit."""
    assert len(FrameBudget(matcher(18)).extract(read_image(dots()))) > 0
    with pytest.raises(InvalidInput, match="latency_budget_ms=5 "):
        FrameBudget(matcher(5)).extract(read_image(dots()))


def test_a_matcher_without_a_budget_is_refused() -> None:
    with pytest.raises(InvalidInput, match="latency"):
        FrameBudget(make_matcher(None))
