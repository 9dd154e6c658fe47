"""The manifest's entries say what the package would do."""

from dataclasses import replace

from tests.helpers.tiny_bundles import KIND, tiny_network, tiny_source

from tiepoint.exporting.description import extractor_entry, matcher_entry
from tiepoint.exporting.options import ExportOptions
from tiepoint.matcher import Matcher
from tiepoint.matching.lightglue import LightGlueMatcher
from tiepoint.matching.mutual_nearest import NearestMatcher
from tiepoint.models.lightglue.inference import AdaptiveInference, confidence_threshold


def test_fixed_sizes() -> None:
    entry = extractor_entry(tiny_source(), ExportOptions(image_size=(96, 64), max_keypoints=5))
    assert (entry.max_keypoints, entry.fixed_keypoints) == (5, True)
    assert entry.preprocessing.fixed_size == (96, 64)
    entry = extractor_entry(tiny_source(), ExportOptions())
    assert (entry.max_keypoints, entry.fixed_keypoints, entry.preprocessing.resize) == (128, False, 96)


def test_forms_and_thresholds() -> None:
    source = tiny_source()
    adaptivity = AdaptiveInference(depth_confidence=0.5, pruning_min_keypoints=7)
    matcher = LightGlueMatcher(tiny_network(), kind=KIND, adaptivity=adaptivity)
    source = replace(source, matcher=Matcher(source.matcher.extractor, matcher))
    entry = matcher_entry(source, ExportOptions(form="adaptive"))
    assert entry.single is None
    assert entry.adaptive is not None
    assert (entry.adaptive.depth_confidence, entry.adaptive.pruning_min_keypoints) == (0.5, 7)
    assert entry.adaptive.confidence_thresholds == tuple(confidence_threshold(layer, 3) for layer in range(2))
    assert matcher_entry(source, ExportOptions(form="single")).adaptive is None


def test_nearest() -> None:
    source = tiny_source()
    matcher = NearestMatcher(kind=KIND, filter_threshold=0.5, max_ratio=0.9)
    source = replace(source, matcher=Matcher(source.matcher.extractor, matcher))
    entry = matcher_entry(source, ExportOptions())
    assert (entry.type, entry.layers, entry.filter_threshold, entry.max_ratio) == ("nearest", 0, 0.5, 0.9)
