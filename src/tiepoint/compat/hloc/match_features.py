"""Matches of pairs of images, in hloc's HDF5 file."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from tiepoint.collection.export.hloc import pair_group, write_matches
from tiepoint.compat.hloc.configurations import Configurations, model_options
from tiepoint.compat.hloc.files import is_matched, opened, read_features, read_pairs, updated_file
from tiepoint.compat.lightglue import LightGlue
from tiepoint.errors import InvalidInput
from tiepoint.io.batching import batched
from tiepoint.matching.inputs import PairMatcher
from tiepoint.matching.lightglue import LightGlueMatcher
from tiepoint.matching.mutual_nearest import NearestMatcher
from tiepoint.models.device import choose_device
from tiepoint.models.lightglue.inference import AdaptiveInference
from tiepoint.types import Assignment, Features

OTHERS = "'superpoint+lightglue', 'disk+lightglue', 'aliked+lightglue' or 'NN-mutual'"

_NEAREST = {"name": "nearest_neighbor", "do_mutual_check": True}

confs = Configurations(
    {
        **{
            f"{features}+lightglue": {
                "output": f"matches-{features}-lightglue",
                "model": {"name": "lightglue", "features": features},
            }
            for features in ("superpoint", "disk", "aliked")
        },
        "NN-superpoint": {
            "output": "matches-NN-mutual-dist.7",
            "model": {**_NEAREST, "distance_threshold": 0.7},
        },
        "NN-ratio": {"output": "matches-NN-mutual-ratio.8", "model": {**_NEAREST, "ratio_threshold": 0.8}},
        "NN-mutual": {"output": "matches-NN-mutual", "model": dict(_NEAREST)},
    },
    unavailable=dict.fromkeys(("superglue", "superglue-fast", "adalam"), OTHERS),
)
"""hloc's configurations by name."""

MODELS = {
    "lightglue": (
        "features",
        "depth_confidence",
        "width_confidence",
        "filter_threshold",
        "n_layers",
        "weights",
        "compile",
    ),
    "nearest_neighbor": ("ratio_threshold", "distance_threshold", "do_mutual_check"),
}
"""Name of a model -> names of its options."""

PAIRS_PER_BATCH = 64
"""Number of pairs whose features are in memory together."""
IMAGES_IN_MEMORY = 128


def main(
    conf: Mapping[str, Any],
    pairs: Path,
    features: Path | str,
    export_dir: Path | None = None,
    matches: Path | None = None,
    features_ref: Path | None = None,
    overwrite: bool = False,
) -> Path:
    """Match pairs of images; pairs that are in the file already, in any order, are skipped.

    Args:
        conf: Configuration: `confs["aliked+lightglue"]`, or a changed copy.
        pairs: Text file with two image names per line.
        features: Feature file of `extract_features` or hloc; or its name without suffix, in `export_dir`.
        export_dir: Folder of the features and the matches, if `features` is a name.
        matches: Output file; None names it after features, configuration and pairs, in `export_dir`.
        features_ref: Feature file of the second images of the pairs; None takes `features`.
        overwrite: Match all pairs again.

    Returns:
        The output file. It is replaced at the end; what an interrupted run has matched is kept.

    Raises:
        InvalidInput: If the configuration is invalid, a file cannot be read or written, or an image has no features.
        WeightsError: If weights cannot be found, downloaded or loaded.
        MissingDependency: If h5py is not installed.
    """
    query_path, output = _paths(conf, Path(pairs), features, export_dir, matches)
    match_from_paths(conf, Path(pairs), output, query_path, Path(features_ref or query_path), overwrite)
    return output


def match_from_paths(
    conf: Mapping[str, Any],
    pairs_path: Path,
    match_path: Path,
    feature_path_q: Path,
    feature_path_ref: Path,
    overwrite: bool = False,
) -> None:
    """Match pairs of images of two feature files.

    Args:
        conf: Configuration.
        pairs_path: Text file with two image names per line.
        match_path: Output file.
        feature_path_q: Feature file of the first images.
        feature_path_ref: Feature file of the second images.
        overwrite: Match all pairs again.

    Raises:
        InvalidInput: If the configuration is invalid, a file cannot be read or written, or an image has no features.
    """
    pairs = _missing_pairs(read_pairs(pairs_path), None if overwrite else match_path)
    if not pairs:
        return
    matcher = _make_matcher(conf)
    is_nearest = isinstance(matcher, NearestMatcher)
    with (
        opened(feature_path_q) as queries,
        opened(feature_path_ref) as references,
        updated_file(match_path, overwrite=overwrite) as file,
    ):
        read0, read1 = (lru_cache(IMAGES_IN_MEMORY)(_reader(each)) for each in (queries, references))
        for group in batched(pairs, PAIRS_PER_BATCH):
            found = matcher.match([(read0(name0), read1(name1)) for name0, name1 in group])
            for names, assignment in zip(group, found, strict=True):
                _write(file, names, assignment, is_nearest=is_nearest)


def _paths(
    conf: Mapping[str, Any],
    pairs: Path,
    features: Path | str,
    export_dir: Path | None,
    matches: Path | None,
) -> tuple[Path, Path]:
    """Return the feature file and the output file, by hloc's rules."""
    if isinstance(features, Path) or Path(features).exists():
        if matches is None:
            raise InvalidInput("features is a file: pass the output file as matches, too")
        return Path(features), Path(matches)
    if export_dir is None:
        raise InvalidInput(
            f"features {features!r} is not a file: pass export_dir, the folder of {features}.h5"
        )
    folder = Path(export_dir)
    output = folder / f"{features}_{conf['output']}_{pairs.stem}.h5" if matches is None else Path(matches)
    return folder / f"{features}.h5", output


def _missing_pairs(pairs: list[tuple[str, str]], match_path: Path | None) -> list[tuple[str, str]]:
    if match_path is None or not match_path.exists():
        return pairs
    with opened(match_path) as file:
        return [names for names in pairs if not is_matched(file, *names)]


def _make_matcher(conf: Mapping[str, Any]) -> PairMatcher:
    name, options = model_options(conf, MODELS)
    if name == "nearest_neighbor":
        return _make_nearest(options)
    options.pop("compile", None)  # layers are fused already
    matcher = LightGlue(options.pop("features", "superpoint"), **options)
    return LightGlueMatcher(
        matcher.network.to(choose_device("auto")),
        adaptivity=AdaptiveInference(matcher.conf.depth_confidence, matcher.conf.width_confidence),
        filter_threshold=matcher.conf.filter_threshold,
    )


def _make_nearest(options: Mapping[str, Any]) -> NearestMatcher:
    if not options.get("do_mutual_check", True):
        raise InvalidInput("do_mutual_check: only mutual nearest neighbors are supported; omit the option")
    distance = options.get("distance_threshold")
    # unit vectors at distance d have the similarity 1 - d^2 / 2; a pair at exactly this distance is a match
    similarity = -1.0 if distance is None else max(np.nextafter(1 - distance**2 / 2, -2.0), -1.0)
    return NearestMatcher(filter_threshold=float(similarity), max_ratio=options.get("ratio_threshold"))


def _reader(file: Any) -> Callable[[str], Features]:
    return lambda name: read_features(file, name)


def _write(file: Any, names: tuple[str, str], assignment: Assignment, *, is_nearest: bool) -> None:
    scores = assignment.scores.numpy()
    group = pair_group(*names)
    if group in file:
        del file[group]
    write_matches(
        file.create_group(group),
        len(assignment.matching_scores0),
        assignment.matches.numpy(),
        (scores + 1) / 2 if is_nearest else scores,  # hloc maps cosine similarities to [0, 1]
    )
