"""Fixtures of all tests; runtime shape checks; the Hypothesis profile."""

import json
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest
from jaxtyping import install_import_hook
from tests.helpers.paths import SHARED_DATA

if TYPE_CHECKING:
    from tiepoint.collection.collection import Collection

# Shapes in signatures are checked while tests run; for users they cost nothing.
CHECKER = (
    "beartype.beartype(conf=__import__('beartype').BeartypeConf(is_pep484_tower=True))"  # an int is a float
)
install_import_hook("tiepoint", CHECKER).__enter__()

# Two workers on two cores: with two threads each they wait for each other.
if "PYTEST_XDIST_WORKER" in os.environ:
    import torch

    os.environ["OMP_NUM_THREADS"] = "1"  # for the processes that tests start
    torch.set_num_threads(1)

# In CI every run draws the same examples, so that a failure points to a change; elsewhere each run draws new ones.
hypothesis.settings.register_profile("ci", derandomize=True, deadline=None, print_blob=True)
hypothesis.settings.register_profile("local", deadline=None, print_blob=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "local")


@pytest.fixture(autouse=True)
def restored_log_levels() -> Iterator[None]:
    """Restore the levels of the loggers that commands change in this process."""
    loggers = [logging.getLogger(name) for name in (None, "tiepoint", "PIL")]
    levels = [logger.level for logger in loggers]
    yield
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


@pytest.fixture(autouse=True)
def restored_torch() -> Iterator[None]:
    """Restore what commands and the reference (threads, flash attention) change in this process: results round otherwise."""
    yield
    if "torch" in sys.modules:
        import torch

        torch.backends.cuda.enable_flash_sdp(True)
        if "PYTEST_XDIST_WORKER" in os.environ:
            torch.set_num_threads(1)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real images with ground truth; without it tests are skipped, or fail if TIEPOINT_REQUIRE_DATA=1."""
    if not SHARED_DATA.is_dir():
        if os.environ.get("TIEPOINT_REQUIRE_DATA") == "1":
            pytest.fail(f"TIEPOINT_REQUIRE_DATA=1, but there is no folder {SHARED_DATA}")
        pytest.skip("the test images (../shared/data) are not on this machine")
    return SHARED_DATA


@pytest.fixture(scope="session")
def photos(shared_data: Path) -> tuple[Path, Path]:
    """Files of an easy pair of photos; several modules have images of their own under this name."""
    folder = shared_data / "lightglue_assets"
    return folder / "DSC_0410.JPG", folder / "DSC_0411.JPG"


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Bundle of tiny networks for ONNX Runtime, in both forms; copy it before changing it."""
    from tests.helpers.tiny_bundles import write_tiny_bundle

    return write_tiny_bundle(tmp_path_factory.mktemp("bundles") / "tiny")


@pytest.fixture(scope="session")
def fast_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Bundle of the preset "fast" for images of 512 px, in the adaptive form; ONNX Runtime and OpenVINO run it."""
    from tests.helpers.shape_checks import without_shape_checks

    from tiepoint import load
    from tiepoint.exporting.bundle import write_bundle
    from tiepoint.exporting.options import ExportOptions
    from tiepoint.exporting.source import source_of

    folder = tmp_path_factory.mktemp("bundles") / "fast"
    source = source_of("fast", load("fast", device="cpu", resize=512))
    with without_shape_checks():
        write_bundle(source, folder, ExportOptions(form="adaptive"), counts=((7, 3),))
    settings = json.loads((folder / "manifest.json").read_text())["extractor"]
    assert settings["preprocessing"]["resize"] == 512, "written while a test had replaced the settings"
    return folder


@pytest.fixture(scope="session")
def castle(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> "Collection":
    """Collection of eleven images of a castle, all pairs matched and verified; copy it before writing to it."""
    from tiepoint.collection.collection import open_collection
    from tiepoint.collection.run.runner import match_collection

    out = tmp_path_factory.mktemp("castle")
    photos = shared_data / "sceaux_castle" / "images"
    match_collection(photos, out, resize=640, max_keypoints=512, device="cpu")
    return open_collection(out)


@pytest.fixture(autouse=True)
def isolated_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace the user's weights cache by an empty folder, unless TIEPOINT_TEST_HOME is set."""
    if "TIEPOINT_TEST_HOME" not in os.environ:
        monkeypatch.setenv("TIEPOINT_HOME", str(tmp_path_factory.mktemp("home", numbered=True)))
