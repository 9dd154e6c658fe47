"""Puts benchmarks/ on the import path: its programs import each other by name."""

import sys

from tests.helpers.paths import BENCHMARKS

sys.path.append(str(BENCHMARKS))
