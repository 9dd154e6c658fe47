"""Latency calibration of `tiepoint bench --tune`: what fits into which budget on this machine."""

from dataclasses import dataclass
from typing import Any

from tiepoint.errors import InvalidInput
from tiepoint.extraction.extractor import NeuralExtractor
from tiepoint.image import ImageTransform
from tiepoint.io.config import to_dict
from tiepoint.matcher import Matcher
from tiepoint.matching.latency.budget import LatencyBudget, Plan, smallest_seconds
from tiepoint.matching.latency.calibration import calibrate
from tiepoint.matching.latency.cost_model import CostModel

BUDGETS_MS = (50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyReport:
    """Cost model of this machine, and the plans of some budgets for two images.

    Attributes:
        image_size: Size (width, height) in px of the images of the plans.
        smallest_ms: Smallest latency budget for these images in ms.
        plans: Budget in ms -> keypoints per image and layers if no pair stops early; None if the budget is too small.
        costs: Cost model, which `latency_budget_ms` uses from now on.
    """

    image_size: tuple[int, int]
    smallest_ms: float
    plans: dict[float, Plan | None]
    costs: CostModel

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        plans = {f"{ms:g}": None if plan is None else to_dict(plan) for ms, plan in self.plans.items()}
        return {
            "image_size": list(self.image_size),
            "smallest_ms": self.smallest_ms,
            "plans": plans,
            "costs": to_dict(self.costs),
        }


def tune_latency(matcher: Matcher, image_size: tuple[int, int], *, runs: int = 5) -> LatencyReport | None:
    """Measure the cost model again and keep it; None if the extractor is not a network.

    Args:
        matcher: Matcher to measure.
        image_size: Size (width, height) in px of the images of the plans.
        runs: Number of timed runs per measurement.
    """
    if not isinstance(matcher.extractor, NeuralExtractor):
        return None
    costs = calibrate(matcher.extractor, matcher.matcher, runs=runs)
    images = [matcher.extractor.transform(image_size)] * 2
    max_keypoints = matcher.extractor.settings.max_keypoints
    return LatencyReport(
        image_size=image_size,
        smallest_ms=1000 * smallest_seconds(costs, images),
        plans={ms: plan_pair(costs, images, max_keypoints, ms) for ms in BUDGETS_MS},
        costs=costs,
    )


def plan_pair(
    costs: CostModel, images: list[ImageTransform], max_keypoints: int | None, milliseconds: float
) -> Plan | None:
    """Return the plan of a budget if everything takes as long as predicted; None if the budget is too small.

    Args:
        costs: Cost model.
        images: Resize of both images.
        max_keypoints: Maximum number of keypoints per image without a budget.
        milliseconds: Budget in ms.
    """
    now = 0.0
    try:
        clock = LatencyBudget(milliseconds, costs, lambda: now).start()
        keypoints = clock.plan_extraction(images, max_keypoints)
    except InvalidInput:
        return None
    now = sum(costs.extraction.seconds(image, keypoints) for image in images)
    return clock.plan_matching((keypoints, keypoints))
