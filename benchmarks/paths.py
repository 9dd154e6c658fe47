"""Folders that the benchmarks read and write."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RECORDS = ROOT / "benchmarks" / "records"
BUILD = ROOT / "build"
DOCS = ROOT / "docs"
PICTURES = DOCS / "images"
DATA = ROOT.parent / "shared" / "data"
PHOTOS = ROOT.parent / "shared" / "photos"
