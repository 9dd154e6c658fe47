"""Writing a bundle: complete or not at all."""

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx
import pytest
from tests.helpers.tiny_bundles import DIM, tiny_source

from tiepoint.errors import InvalidInput
from tiepoint.exporting import bundle
from tiepoint.exporting.bundle import check_output, check_source, export_bundle, write_bundle
from tiepoint.exporting.options import ExportOptions
from tiepoint.exporting.source import Source
from tiepoint.matcher import Matcher
from tiepoint.matching.lightglue import LightGlueMatcher
from tiepoint.models.lightglue.network import LightGlue, LightGlueShape
from tiepoint.runtimes.manifest import MANIFEST, PARITY


def interrupted(*_: Any) -> Iterator[tuple[str, Any]]:
    yield from ()
    raise KeyboardInterrupt


def test_bundle_has_all_files_of_its_manifest(tiny_bundle: Path) -> None:
    manifest = json.loads((tiny_bundle / MANIFEST).read_text())
    listed = {entry["name"] for entry in manifest["files"]}
    assert listed == {path.name for path in tiny_bundle.iterdir()} - {MANIFEST, PARITY}
    assert {graph["file"] for graph in manifest["graphs"]} | {"LICENSES.txt"} == listed
    thresholds = manifest["matcher"]["adaptive"]["confidence_thresholds"]
    assert thresholds == pytest.approx([0.9, 0.8 + 0.1 * math.exp(-4 / 3)])


def test_graphs_carry_their_origin_and_no_paths(tiny_bundle: Path) -> None:
    for path in tiny_bundle.glob("*.onnx"):
        properties = {entry.key: entry.value for entry in onnx.load(path).metadata_props}
        assert (properties["bundle"], properties["kind"]) == ("tiny", "tiny@0")
        assert b"site-packages" not in path.read_bytes()
        assert b"/src/tiepoint" not in path.read_bytes()


def test_interrupted_export_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle, "_models", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_bundle(tiny_source(), tmp_path / "new", ExportOptions())
    assert list(tmp_path.iterdir()) == []


def test_interrupted_export_keeps_the_previous_bundle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / MANIFEST).write_text("{}")
    monkeypatch.setattr(bundle, "_models", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_bundle(tiny_source(), tmp_path / "old", ExportOptions())
    assert [path.name for path in tmp_path.rglob("*")] == ["old", MANIFEST]


def test_other_folders_are_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").touch()
    with pytest.raises(InvalidInput, match="is not a bundle"):
        export_bundle("fast", tmp_path)
    with pytest.raises(InvalidInput, match="its folder does not exist"):
        check_output(tmp_path / "no" / "bundle")
    (tmp_path / "empty").mkdir()
    assert check_output(tmp_path / "empty") == tmp_path / "empty"


def test_features_without_a_network_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        InvalidInput, match=r"cannot export sift\+nearest: its extractor sift is not a network"
    ):
        export_bundle("sift+nearest", tmp_path / "bundle")


def loma_source(**switches: Any) -> Source:
    """A network without token confidences."""
    shape = LightGlueShape(DIM, 16, 2, 2, token_confidence=False, **switches)
    return replace(
        tiny_source(),
        name="loma-b",
        matcher=Matcher(tiny_source().matcher.extractor, LightGlueMatcher(LightGlue(shape))),
    )


def test_the_adaptive_form_of_a_network_without_confidences_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"cannot export loma-b in form 'both'.*; use form 'single'"):
        check_source(loma_source(), ExportOptions(form="both"))
    check_source(loma_source(), ExportOptions(form="single"))


def test_positions_per_axis_are_refused_for_opencv() -> None:
    source = loma_source(normalization="per_axis")
    with pytest.raises(
        InvalidInput, match=r"cannot export loma-b for OpenCV: .*; export it to onnx or openvino"
    ):
        check_source(source, ExportOptions(target="opencv"))
    check_source(source, ExportOptions(target="openvino", form="single"))
