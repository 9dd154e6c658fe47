"""tiepoint: two photographs in, tie points out.

    import tiepoint
    result = tiepoint.match("a.jpg", "b.jpg")
    result.points0, result.points1, result.scores

Public names are resolved when they are first used, so that `import tiepoint` costs milliseconds and no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tiepoint.api import load, match
    from tiepoint.collection.collection import Collection, open_collection
    from tiepoint.collection.export.colmap_database import export_colmap
    from tiepoint.collection.run.runner import match_collection
    from tiepoint.collection.sfm.localization import localize
    from tiepoint.collection.sfm.reconstruction import reconstruct
    from tiepoint.errors import InvalidInput, MissingDependency, TiepointError, WeightsError
    from tiepoint.geometry.estimate import (
        estimate_essential,
        estimate_fundamental,
        estimate_homography,
        estimate_relative_pose,
    )
    from tiepoint.geometry.pair_verification import Verdict
    from tiepoint.huggingface import (
        AutoImageProcessor,
        AutoModelForKeypointMatching,
        LightGlueConfig,
        LightGlueForKeypointMatching,
        LightGlueImageProcessor,
        LightGlueImageProcessorFast,
        SuperPointConfig,
        pipeline,
    )
    from tiepoint.image import Image, read_image
    from tiepoint.matcher import Matcher
    from tiepoint.presets import PRESETS
    from tiepoint.result import MatchResult
    from tiepoint.retrieval import Ranking, find
    from tiepoint.training.train import train
    from tiepoint.types import Camera, Features, Matches, TwoViewEstimate
    from tiepoint.video import Tracker, Tracks, track

__version__ = "0.1.0"

_HOMES = {
    "AutoImageProcessor": "huggingface",
    "AutoModelForKeypointMatching": "huggingface",
    "Camera": "types",
    "Collection": "collection.collection",
    "Features": "types",
    "Image": "image",
    "InvalidInput": "errors",
    "LightGlueConfig": "huggingface",
    "LightGlueForKeypointMatching": "huggingface",
    "LightGlueImageProcessor": "huggingface",
    "LightGlueImageProcessorFast": "huggingface",
    "MatchResult": "result",
    "Matcher": "matcher",
    "Matches": "types",
    "MissingDependency": "errors",
    "PRESETS": "presets",
    "Ranking": "finding",
    "SuperPointConfig": "huggingface",
    "TiepointError": "errors",
    "Tracker": "video",
    "Tracks": "video",
    "TwoViewEstimate": "types",
    "Verdict": "verdict",
    "WeightsError": "errors",
    "estimate_essential": "geometry.estimate",
    "estimate_fundamental": "geometry.estimate",
    "estimate_homography": "geometry.estimate",
    "estimate_relative_pose": "geometry.estimate",
    "export_colmap": "collection.colmap_database",
    "find": "finding",
    "load": "api",
    "localize": "collection.localization",
    "match": "api",
    "match_collection": "collection.runner",
    "open_collection": "collection.collection",
    "pipeline": "huggingface",
    "read_image": "image",
    "reconstruct": "collection.reconstruction",
    "track": "video",
    "train": "training.train",
}

__all__ = [
    "PRESETS",
    "AutoImageProcessor",
    "AutoModelForKeypointMatching",
    "Camera",
    "Collection",
    "Features",
    "Image",
    "InvalidInput",
    "LightGlueConfig",
    "LightGlueForKeypointMatching",
    "LightGlueImageProcessor",
    "LightGlueImageProcessorFast",
    "MatchResult",
    "Matcher",
    "Matches",
    "MissingDependency",
    "Ranking",
    "SuperPointConfig",
    "TiepointError",
    "Tracker",
    "Tracks",
    "TwoViewEstimate",
    "Verdict",
    "WeightsError",
    "__version__",
    "estimate_essential",
    "estimate_fundamental",
    "estimate_homography",
    "estimate_relative_pose",
    "export_colmap",
    "find",
    "load",
    "localize",
    "match",
    "match_collection",
    "open_collection",
    "pipeline",
    "read_image",
    "reconstruct",
    "track",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'tiepoint' has no attribute {name!r}")
    value = getattr(import_module(f"tiepoint.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
