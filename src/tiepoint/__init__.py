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
    from tiepoint.errors import InvalidInput, MissingDependency, TiepointError, WeightsError
    from tiepoint.geometry.estimate import (
        estimate_essential,
        estimate_fundamental,
        estimate_homography,
        estimate_relative_pose,
    )
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
    from tiepoint.types import Camera, Features, Matches, TwoViewEstimate

__version__ = "0.1.0"

_HOMES = {
    "AutoImageProcessor": "huggingface",
    "AutoModelForKeypointMatching": "huggingface",
    "Camera": "types",
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
    "SuperPointConfig": "huggingface",
    "TiepointError": "errors",
    "TwoViewEstimate": "types",
    "WeightsError": "errors",
    "estimate_essential": "geometry.estimate",
    "estimate_fundamental": "geometry.estimate",
    "estimate_homography": "geometry.estimate",
    "estimate_relative_pose": "geometry.estimate",
    "load": "api",
    "match": "api",
    "pipeline": "huggingface",
    "read_image": "image",
}

__all__ = [
    "PRESETS",
    "AutoImageProcessor",
    "AutoModelForKeypointMatching",
    "Camera",
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
    "SuperPointConfig",
    "TiepointError",
    "TwoViewEstimate",
    "WeightsError",
    "__version__",
    "estimate_essential",
    "estimate_fundamental",
    "estimate_homography",
    "estimate_relative_pose",
    "load",
    "match",
    "pipeline",
    "read_image",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'tiepoint' has no attribute {name!r}")
    value = getattr(import_module(f"tiepoint.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
