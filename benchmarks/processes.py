"""Programs in new processes, whose memory is their own."""

import json
import subprocess
import sys
from typing import Any

from benchmarks.paths import ROOT


def run_in_new_process(*words: str) -> Any:
    """Run `python -m benchmarks` with these words, and return the JSON value of its last line of output."""
    command = [sys.executable, "-m", "benchmarks", *words]
    done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])
