"""The programs in benchmarks/ import each other by name, as programs of one folder do."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[3] / "benchmarks"))
