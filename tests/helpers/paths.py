"""Folders of the checkout that tests read."""

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
BENCHMARKS = REPOSITORY / "benchmarks"
DOCS = REPOSITORY / "docs"
EXAMPLES = REPOSITORY / "examples"
RECORDS = BENCHMARKS / "records"
SHARED_DATA = REPOSITORY.parent / "shared" / "data"
SOURCE = REPOSITORY / "src"
