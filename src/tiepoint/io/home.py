"""Folder of everything that tiepoint keeps on a machine: $TIEPOINT_HOME, by default ~/.cache/tiepoint."""

import os
from pathlib import Path


def home_folder() -> Path:
    """Return $TIEPOINT_HOME, by default ~/.cache/tiepoint; it need not exist."""
    return Path(os.environ.get("TIEPOINT_HOME") or "~/.cache/tiepoint").expanduser()
