"""The manifest's entries of an extractor and a matcher."""

from tiepoint.exporting.options import ExportOptions
from tiepoint.exporting.source import Source
from tiepoint.matching.lightglue import LightGlueMatcher
from tiepoint.matching.mutual_nearest import NearestMatcher
from tiepoint.models.detector import Detector
from tiepoint.models.lightglue.inference import confidence_threshold
from tiepoint.runtimes.manifest import AdaptiveEntry, ExtractorEntry, MatcherEntry, Preprocessing

MIN_SIDE = 32
"""Minimum side in px of the input of exported extractors."""


def extractor_entry(source: Source, options: ExportOptions) -> ExtractorEntry:
    """Describe the extractor of a bundle."""
    extractor, settings = source.matcher.extractor, source.matcher.extractor.settings
    network = extractor.network
    return ExtractorEntry(
        name=source.extractor.name,
        kind=settings.kind,
        fingerprint=extractor.fingerprint,
        license=source.extractor.license,
        graph="extractor",
        descriptor_dim=extractor.descriptor_dim,
        max_keypoints=options.max_keypoints or settings.max_keypoints,
        fixed_keypoints=options.max_keypoints is not None or options.target == "opencv",
        detection_threshold=settings.detection_threshold,
        preprocessing=Preprocessing(
            resize=settings.resize,
            upscale=settings.upscale,
            size_multiple=network.size_multiple if isinstance(network, Detector) else 1,
            min_side=MIN_SIDE,
            fixed_size=options.image_size,
        ),
    )


def matcher_entry(source: Source, options: ExportOptions) -> MatcherEntry:
    """Describe the matcher of a bundle."""
    matcher = source.matcher.matcher
    if isinstance(matcher, LightGlueMatcher):
        return _lightglue_entry(source, matcher, options)
    assert isinstance(matcher, NearestMatcher)
    return MatcherEntry(
        name=source.weights.name,
        type="nearest",
        kind=matcher.settings.kind,
        fingerprint=matcher.fingerprint,
        license=source.weights.license,
        input_dim=source.matcher.extractor.descriptor_dim,
        filter_threshold=matcher.settings.filter_threshold,
        max_ratio=matcher.settings.max_ratio,
        single="matcher",
    )


def _lightglue_entry(source: Source, matcher: LightGlueMatcher, options: ExportOptions) -> MatcherEntry:
    settings, shape = matcher.settings, matcher.network.shape
    return MatcherEntry(
        name=source.weights.name,
        type="lightglue",
        kind=settings.kind,
        fingerprint=matcher.fingerprint,
        license=source.weights.license,
        input_dim=shape.input_dim,
        layers=shape.layers,
        position_dim=shape.position_dim,
        filter_threshold=settings.filter_threshold,
        adaptive=None if options.form == "single" else _adaptive_entry(matcher),
        single=None if options.form == "adaptive" else "matcher",
    )


def _adaptive_entry(matcher: LightGlueMatcher) -> AdaptiveEntry:
    adaptivity, layers = matcher.settings.adaptivity, matcher.network.shape.layers
    return AdaptiveEntry(
        encode="encode",
        layers=tuple(f"layer_{layer}" for layer in range(layers)),
        assign=tuple(f"assign_{layer}" for layer in range(layers)),
        depth_confidence=adaptivity.depth_confidence,
        width_confidence=adaptivity.width_confidence,
        pruning_min_keypoints=adaptivity.pruning_min_keypoints or 0,
        confidence_thresholds=tuple(confidence_threshold(layer, layers) for layer in range(layers - 1)),
    )
