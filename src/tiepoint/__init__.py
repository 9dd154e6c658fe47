"""tiepoint: two photographs in, tie points out.

    import tiepoint
    result = tiepoint.match("a.jpg", "b.jpg")
    result.points0, result.points1, result.scores

Public names are resolved when they are first used, so that `import tiepoint` costs milliseconds and no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tiepoint.api import Matcher, load, match
    from tiepoint.errors import InvalidInput, MissingDependency, TiepointError, WeightsError
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
    from tiepoint.presets import PRESETS
    from tiepoint.result import MatchResult
    from tiepoint.types import Features, Matches

__version__ = "0.1.0"

_HOMES = {
    "AutoImageProcessor": "huggingface",
    "AutoModelForKeypointMatching": "huggingface",
    "Features": "types",
    "Image": "image",
    "InvalidInput": "errors",
    "LightGlueConfig": "huggingface",
    "LightGlueForKeypointMatching": "huggingface",
    "LightGlueImageProcessor": "huggingface",
    "LightGlueImageProcessorFast": "huggingface",
    "MatchResult": "result",
    "Matcher": "api",
    "Matches": "types",
    "MissingDependency": "errors",
    "PRESETS": "presets",
    "SuperPointConfig": "huggingface",
    "TiepointError": "errors",
    "WeightsError": "errors",
    "load": "api",
    "match": "api",
    "pipeline": "huggingface",
    "read_image": "image",
}

__all__ = [
    "PRESETS",
    "AutoImageProcessor",
    "AutoModelForKeypointMatching",
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
    "WeightsError",
    "__version__",
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
