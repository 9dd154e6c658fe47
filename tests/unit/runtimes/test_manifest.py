"""The manifest is what docs/reference describes, field by field."""

from dataclasses import fields
from pathlib import Path

from tests.helpers.paths import REPOSITORY

from tiepoint.io.config import from_dict, to_dict
from tiepoint.runtimes import manifest
from tiepoint.runtimes.bundle import open_bundle

PAGE = REPOSITORY / "docs" / "reference" / "bundle-format.md"


def test_manifest_survives_json(tiny_bundle: Path) -> None:
    read = open_bundle(tiny_bundle).manifest
    assert from_dict(manifest.Manifest, to_dict(read)) == read


def test_page_names_every_field() -> None:
    text = PAGE.read_text(encoding="utf-8")
    classes = (
        manifest.Manifest,
        manifest.ExtractorEntry,
        manifest.Preprocessing,
        manifest.MatcherEntry,
        manifest.AdaptiveEntry,
        manifest.GraphEntry,
        manifest.TensorEntry,
        manifest.FileEntry,
    )
    missing = [
        f"{cls.__name__}.{field.name}"
        for cls in classes
        for field in fields(cls)
        if f"`{field.name}`" not in text
    ]
    assert missing == []
