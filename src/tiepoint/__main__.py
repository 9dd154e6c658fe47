"""The command `tiepoint`, also as `python -m tiepoint`.

At the end, the process is left at once: Python would take up to a second to unload PyTorch, for which users wait.
"""

import atexit
import os
import sys
from contextlib import suppress

from tiepoint.cli import main


class _Exit:
    """Leaves the process with the status of the command, after all other exit handlers."""

    status: int | None = None  # None: an error that is not ours, with a traceback

    def __call__(self) -> None:
        """Flush both streams and leave."""
        if self.status is None:
            return
        for stream in (sys.stdout, sys.stderr):
            with suppress(AttributeError, OSError, ValueError):  # closed, or None without a console
                stream.flush()
        os._exit(self.status)


def run() -> None:
    """Run the command."""
    leave = _Exit()
    atexit.register(leave)  # the handler that is registered first is called last
    try:
        main()
        leave.status = 0
    except SystemExit as end:
        leave.status = end.code if isinstance(end.code, int) else int(end.code is not None)
        raise


if __name__ == "__main__":
    run()
