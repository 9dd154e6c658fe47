"""What every test may ask for: the shape checker, the shared photographs, a small random network."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest
from jaxtyping import install_import_hook

if TYPE_CHECKING:
    from tiepoint.collection.collection import Collection

# Shapes in signatures are checked while tests run; for users they cost nothing.
CHECKER = (
    "beartype.beartype(conf=__import__('beartype').BeartypeConf(is_pep484_tower=True))"  # an int is a float
)
install_import_hook("tiepoint", CHECKER).__enter__()

# Two workers on two cores: one thread each is faster than two that wait for each other.
if "PYTEST_XDIST_WORKER" in os.environ:
    import torch

    os.environ["OMP_NUM_THREADS"] = "1"  # for the processes that tests start
    torch.set_num_threads(1)

# CI repeats the same examples, so that red means a change; elsewhere every run tries new ones.
hypothesis.settings.register_profile("ci", derandomize=True, deadline=None)
hypothesis.settings.register_profile("here", deadline=None)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "here")

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real photographs with ground truth; its absence fails in CI and skips elsewhere."""
    if not SHARED_DATA.is_dir():
        if os.environ.get("CI"):
            pytest.fail(f"the shared photographs are not at {SHARED_DATA}")
        pytest.skip("the shared photographs (../shared/data) are not on this machine")
    return SHARED_DATA


@pytest.fixture(scope="session")
def castle(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> "Collection":
    """Eleven photographs of a castle, all pairs matched and verified; tests that write to it copy it first."""
    from tiepoint.collection.collection import open_collection
    from tiepoint.collection.run.runner import match_collection

    out = tmp_path_factory.mktemp("castle")
    photos = shared_data / "sceaux_castle" / "images"
    match_collection(photos, out, resize=640, max_keypoints=512, device="cpu")
    return open_collection(out)


@pytest.fixture(autouse=True)
def quiet_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests neither read nor write the user's cache of weights, unless TIEPOINT_HOME says where."""
    if "TIEPOINT_TEST_HOME" not in os.environ:
        monkeypatch.setenv("TIEPOINT_HOME", str(tmp_path_factory.mktemp("home", numbered=True)))
