"""PyAV, which brings FFmpeg's libraries along."""

from types import ModuleType

from tiepoint.errors import MissingDependency


def pyav() -> ModuleType:
    """The library, imported when a video is read or written.

    Raises:
        MissingDependency: it isn't installed.
    """
    try:
        import av
    except ImportError as error:
        raise MissingDependency(
            "videos are read and written with PyAV, which isn't installed; run: python -m pip install av "
            "(a folder of frames needs nothing)"
        ) from error
    return av


def reason(error: Exception) -> str:
    """What FFmpeg says of an error, without its number and its file."""
    return getattr(error, "strerror", None) or " ".join(str(error).split()) or type(error).__name__
