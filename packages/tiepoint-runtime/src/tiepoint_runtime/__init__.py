"""tiepoint-runtime: match images with a bundle of `tiepoint export`, without PyTorch.

    from tiepoint_runtime import Matcher
    matcher = Matcher.load("bundle")
    result = matcher.match("a.jpg", "b.jpg")
    result.points0, result.points1, result.scores

Coordinates are (x, y) in px of the upright image; the center of the top-left pixel is (0, 0).
"""

from tiepoint.errors import InvalidInput, MissingDependency, TiepointError
from tiepoint_runtime.features import Features
from tiepoint_runtime.matcher import Matcher
from tiepoint_runtime.result import MatchResult

__version__ = "0.1.0"

__all__ = [
    "Features",
    "InvalidInput",
    "MatchResult",
    "Matcher",
    "MissingDependency",
    "TiepointError",
    "__version__",
]
