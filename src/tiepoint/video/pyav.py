"""PyAV, which includes the FFmpeg libraries."""

from types import ModuleType

from tiepoint.io.optional import import_optional


def import_pyav() -> ModuleType:
    """Import PyAV.

    Raises:
        MissingDependency: If PyAV is not installed.
    """
    return import_optional(
        "av", purpose="reading and writing videos (a folder of frames works without)", install="av"
    )


def reason(error: Exception) -> str:
    """Return the message of an FFmpeg error without its number and file name."""
    return getattr(error, "strerror", None) or " ".join(str(error).split()) or type(error).__name__
