"""Standard output and error that cannot be written: a full disk, a closed pipe, a closed descriptor.

The command completes its work, so that its files are written, and ends with one line on stderr and exit status 1.
"""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO, cast

ENCODING_ERRORS = "backslashreplace"  # for characters that the encoding of the terminal does not have


class GuardedStream:
    """A text stream that keeps its first write error instead of raising it.

    Args:
        stream: Text stream to write to; None if its descriptor is closed.

    Attributes:
        error: First write error; None if there was none.
    """

    def __init__(self, stream: Any) -> None:
        self.error: OSError | None = None
        self._is_closed = stream is None
        self._stream = Path(os.devnull).open("w") if stream is None else stream  # noqa: SIM115
        if hasattr(self._stream, "reconfigure"):
            self._stream.reconfigure(errors=ENCODING_ERRORS)

    def write(self, text: str) -> int:
        """Write a text; after an error, it is discarded."""
        if self._is_closed and text:
            self._keep(OSError(errno.EBADF, os.strerror(errno.EBADF)))
        try:
            self._stream.write(text)
        except OSError as error:
            self._keep(error)
        return len(text)

    def flush(self) -> None:
        """Write what is buffered; after an error, it is discarded."""
        try:
            self._stream.flush()
        except OSError as error:
            self._keep(error)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _keep(self, error: OSError) -> None:
        """Keep the first error, and send all further output to the null device: Python flushes again at exit."""
        if self.error is not None:
            return
        self.error = error
        with suppress(OSError, ValueError):
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, self._stream.fileno())
            os.close(null)


@contextmanager
def guarded_streams() -> Iterator[None]:
    """Guard standard output and error for the duration of a command.

    If one of them cannot be written, a command that would succeed exits with status 1, and standard output is named on
    stderr; a closed pipe is not (`tiepoint presets | head -1`).
    """
    before = sys.stdout, sys.stderr
    out, err = GuardedStream(sys.stdout), GuardedStream(sys.stderr)
    sys.stdout, sys.stderr = cast(TextIO, out), cast(TextIO, err)
    try:
        yield
    except SystemExit as end:
        out.flush()
        _report(out.error)
        err.flush()
        is_lost = out.error is not None or err.error is not None
        raise SystemExit(end.code or int(is_lost)) from None
    finally:
        sys.stdout, sys.stderr = before


def _report(error: OSError | None) -> None:
    if error is not None and error.errno != errno.EPIPE:
        print(f"tiepoint: cannot write standard output: {error.strerror or error}", file=sys.stderr)
