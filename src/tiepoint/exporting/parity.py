"""The parity report: the exported graphs, run in their runtime, next to the package on the same input."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from tiepoint.errors import InvalidInput
from tiepoint.exporting.comparison import Comparison, Rule, compare_extraction, compare_matches
from tiepoint.exporting.random_features import as_inputs, random_pair
from tiepoint.exporting.source import Source
from tiepoint.image import Image
from tiepoint.matching.inputs import PairMatcher
from tiepoint.matching.lightglue import LightGlueMatcher
from tiepoint.models.lightglue.inference import AdaptiveInference
from tiepoint.runtimes.bundle import Bundle
from tiepoint.runtimes.detector import BundleDetector
from tiepoint.runtimes.lightglue import AdaptiveLightGlue, SingleMatcher
from tiepoint.types import Features

COUNTS = ((0, 0), (0, 7), (1, 1), (7, 1), (7, 7), (512, 300), (512, 512), (2048, 7), (2048, 2048))
"""Numbers of keypoints of the random pairs."""

RANDOM = "random"
"""Input of comparisons of random features."""

MAX_TIES = 3
"""Number of keypoints that may differ in any report."""

RULES = {
    "float32": Rule(),
    "float16": Rule(
        max_score_difference=0.05,
        max_rare_score_difference=1.0,
        max_random_score_difference=1.0,
        max_rare_per_10000=1000.0,
        max_differing_per_10000=1000.0,
        max_differing_keypoints_per_10000=10_000.0,
    ),
}
"""Precision -> rule; half precision is measured, and refused only if it is broken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParityReport:
    """Content of `parity.json`.

    Attributes:
        runtime: Runtime and its version.
        rule: Rule that the export has to keep.
        differing_per_10000: Differing decisions per 10,000, over all comparisons.
        max_score_difference: Largest difference of two scores.
        comparisons: All images and pairs.
    """

    runtime: str
    rule: Rule
    differing_per_10000: float
    max_score_difference: float
    comparisons: tuple[Comparison, ...]


def measure_parity(
    source: Source,
    bundle: Bundle,
    images: Sequence[Image],
    runtime: str,
    counts: Sequence[tuple[int, int]] = COUNTS,
) -> ParityReport:
    """Run the graphs of a bundle next to the package.

    Args:
        source: Matcher that was exported.
        bundle: The bundle.
        images: Real images; neighbors in the list are matched, too.
        runtime: Name and version of the runtime, for the report.
        counts: Numbers of keypoints of random pairs.
    """
    rule = RULES[bundle.manifest.precision]
    comparisons = tuple(_comparisons(source, bundle, images, counts, rule))
    decisions = sum(one.decisions for one in comparisons)
    return ParityReport(
        runtime=runtime,
        rule=rule,
        differing_per_10000=1e4 * sum(one.differing for one in comparisons) / max(decisions, 1),
        max_score_difference=max((one.max_score_difference for one in comparisons), default=0.0),
        comparisons=comparisons,
    )


def check_parity(report: ParityReport) -> None:
    """Check that a report keeps its rule.

    Raises:
        InvalidInput: If it does not.
    """
    rule = report.rule
    scores, rare = (sum(getattr(one, name) for one in report.comparisons) for name in ("scores", "rare"))
    problems = [
        f"{report.differing_per_10000:.1f} of 10,000 decisions differ (allowed {rule.max_differing_per_10000:g})"
        if report.differing_per_10000 > rule.max_differing_per_10000
        else "",
        _keypoint_problem(report),
        *(
            f"scores differ by up to {one.max_score_difference:.1e} ({one.input}, allowed {_bound(one, rule):g})"
            for one in report.comparisons
            if one.max_score_difference > _bound(one, rule)
        ),
        f"{rare} of {scores} scores differ by more than {rule.max_score_difference:g}"
        if 1e4 * rare > rule.max_rare_per_10000 * max(scores, 1)
        else "",
    ]
    if any(problems):
        raise InvalidInput(
            f"the exported graphs do not agree with the package in {report.runtime}: "
            f"{', '.join(filter(None, problems))}; no bundle was written"
        )


def _keypoint_problem(report: ParityReport) -> str:
    """Return what is wrong with the keypoints of all images; "" if nothing is."""
    images = [one for one in report.comparisons if one.stage == "extraction"]
    differing, keypoints = (sum(getattr(one, name) for one in images) for name in ("differing", "decisions"))
    allowed = max(MAX_TIES, int(keypoints * report.rule.max_differing_keypoints_per_10000 / 1e4))
    return f"{differing} of {keypoints} keypoints differ (allowed {allowed})" if differing > allowed else ""


def _bound(comparison: Comparison, rule: Rule) -> float:
    is_random = comparison.input == RANDOM
    return rule.max_random_score_difference if is_random else rule.max_rare_score_difference


def _comparisons(
    source: Source, bundle: Bundle, images: Sequence[Image], counts: Sequence[tuple[int, int]], rule: Rule
) -> Iterator[Comparison]:
    extractor, features = BundleDetector(bundle), []
    for image in images:
        comparison, found = compare_extraction(source.matcher.extractor, extractor, image, rule)
        yield comparison
        features.append(found)
    entry = bundle.manifest.matcher
    pairs = [(RANDOM, random_pair(m, n, entry.input_dim, kind=entry.kind)) for m, n in counts]
    pairs += [(f"{_size(first)}, {_size(second)}", (first, second)) for first, second in pairwise(features)]
    matches_only = bundle.manifest.target == "opencv"
    for form, package, runtime in _matchers(source.matcher.matcher, bundle):
        for name, pair in pairs:
            (expected,) = package.match([pair])
            found = runtime.match(*(as_inputs(one) for one in pair))
            yield compare_matches(form, name, found, expected, rule, matches_only=matches_only)


def _matchers(
    matcher: PairMatcher, bundle: Bundle
) -> Iterator[tuple[str, PairMatcher, AdaptiveLightGlue | SingleMatcher]]:
    """Yield each form of the bundle with the matcher of the package that it has to agree with."""
    if bundle.manifest.matcher.adaptive:
        yield "adaptive", matcher, AdaptiveLightGlue(bundle)
    if bundle.manifest.matcher.single:
        all_layers = AdaptiveInference(depth_confidence=-1.0, width_confidence=-1.0)
        if isinstance(matcher, LightGlueMatcher):
            matcher = matcher.variant(adaptivity=all_layers, max_layers=None)
        yield "single", matcher, SingleMatcher(bundle)


def _size(features: Features) -> str:
    return " x ".join(map(str, features.image_size)) + " px"
