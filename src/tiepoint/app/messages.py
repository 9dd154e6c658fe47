"""Texts of errors for users: one line, without paths of the server."""

import re
import tempfile
from contextlib import suppress
from pathlib import Path

from tiepoint.errors import MissingDependency, TiepointError, WeightsError
from tiepoint.io.home import home_folder
from tiepoint.io.messages import first_line

INTERNAL = "internal error; the log of the server has the details"

# An absolute path of POSIX or Windows; not the path of a URL, and not a name like a/b
_PATH = re.compile(r"(?<![\w/:.~])(?:~?/|[A-Za-z]:\\)[^\s'\"`,;:()\[\]]*[^\s'\"`,;:()\[\].]")
_QUOTED_PATH = re.compile(r"(['\"])(?:~?/|[A-Za-z]:\\)(?:(?!\1).)*\1")


class RequestError(TiepointError):
    """A request that cannot be answered.

    Attributes:
        status: HTTP status of the answer.
    """

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


def public_message(error: BaseException) -> str:
    """Return the text of an error without absolute paths; nothing of an error that tiepoint did not raise on purpose.

    Args:
        error: The error.
    """
    if not isinstance(error, TiepointError):
        return INTERNAL
    text = _QUOTED_PATH.sub("…", first_line(error))
    for folder in _known_folders():  # their names may have spaces, which end an unquoted path
        text = re.sub(rf"(?<![\w/]){re.escape(folder)}(?![\w.-])", "/…", text)
    text = _PATH.sub("…", text)
    if isinstance(error, WeightsError):
        return f"the model cannot be loaded: {text}"
    return text


def status_of(error: BaseException) -> int:
    """Return the HTTP status of an error."""
    if isinstance(error, RequestError):
        return error.status
    if isinstance(error, WeightsError | MissingDependency):
        return 503
    return 400 if isinstance(error, TiepointError) else 500


def _known_folders() -> list[str]:
    """Return the folders of the machine that errors are most likely to name, the longest first."""
    found: list[Path] = []
    for find in (tempfile.gettempdir, home_folder, Path.home, Path.cwd):
        with suppress(OSError, RuntimeError):  # a user without a home, a removed working folder
            found.append(Path(find()))
    names = {str(each) for each in found if each.is_absolute() and each != each.parent}
    return sorted(names, key=len, reverse=True)
