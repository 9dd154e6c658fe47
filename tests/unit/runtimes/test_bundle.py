"""Opening a bundle: what does not fit is one clear error."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tiepoint.errors import InvalidInput
from tiepoint.runtimes.bundle import is_bundle, open_bundle
from tiepoint.runtimes.manifest import FORMAT_VERSION, MANIFEST


@pytest.fixture
def copied(tiny_bundle: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_bundle, tmp_path / "copy"))


def rewrite_manifest(folder: Path, **values: Any) -> None:
    path = folder / MANIFEST
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_bundle_lists_its_graphs(tiny_bundle: Path) -> None:
    bundle = open_bundle(tiny_bundle)
    assert bundle.manifest.name == "tiny"
    entry = bundle.graph("layer_0")
    assert [tensor.name for tensor in entry.inputs] == ["tokens0", "tokens1", "rotation0", "rotation1"]
    assert entry.inputs[0].shape == ("num_tokens0", 16)
    assert is_bundle(tiny_bundle)


def test_changed_file_is_refused(copied: Path) -> None:
    path = copied / "encode.onnx"
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    with pytest.raises(InvalidInput, match=r"encode\.onnx was changed"):
        open_bundle(copied)
    assert open_bundle(copied, verify=False).manifest.name == "tiny"


def test_missing_file_is_refused(copied: Path) -> None:
    (copied / "assign_1.onnx").unlink()
    with pytest.raises(InvalidInput, match=r"assign_1\.onnx is missing"):
        open_bundle(copied)


def test_newer_format_is_refused(copied: Path) -> None:
    rewrite_manifest(copied, format_version=FORMAT_VERSION + 1)
    with pytest.raises(InvalidInput, match="update tiepoint"):
        open_bundle(copied)


@pytest.mark.parametrize("values", [{"format": "other"}, {"graphs": 3}, {"surplus": 1}])
def test_invalid_manifest_is_refused(copied: Path, values: dict[str, Any]) -> None:
    rewrite_manifest(copied, **values)
    with pytest.raises(InvalidInput, match="export the bundle again"):
        open_bundle(copied)


@pytest.mark.parametrize("content", [None, "{", "[1]"])
def test_other_folders_are_refused(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / MANIFEST).write_text(content)
    with pytest.raises(InvalidInput, match="tiepoint export"):
        open_bundle(tmp_path)
