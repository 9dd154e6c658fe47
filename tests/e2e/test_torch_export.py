"""`torch.export`, strict and with open sizes: every network, and the classes with transformers' names."""

import json
import subprocess
import sys

from tests.helpers.paths import REPOSITORY

NAMES = {
    "aliked",
    "disk",
    "superpoint",
    "xfeat",
    "lightglue",
    "huggingface superpoint",
    "huggingface lightglue",
}

MAX_DIFFERING = 0.1
"""Fraction of values: in random networks scores of keypoints are close, so that rounding changes the order of a few."""


def test_exported_networks_equal_the_networks() -> None:
    """transformers' own classes cannot be exported (transformers#48243)."""
    command = [sys.executable, "-m", "tests.helpers.strict_exports"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY, check=False)
    assert done.returncode == 0, done.stderr
    differences = json.loads(done.stdout.splitlines()[-1])
    assert differences.keys() == NAMES
    assert max(differences.values()) < MAX_DIFFERING, differences
