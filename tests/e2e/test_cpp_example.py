"""examples/cpp: built with OpenVINO's wheel, it matches as the package."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from tests.helpers.paths import EXAMPLES

import tiepoint

HEADERS = ("/usr/include/stb/stb_image.h", "/usr/include/nlohmann/json.hpp")
PACKAGES = "cmake g++ libstb-dev nlohmann-json3-dev"


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The compiled program; without compiler and headers tests are skipped, or fail if TIEPOINT_REQUIRE_CPP=1."""
    if not all(map(shutil.which, ("cmake", "g++"))) or not all(map(os.path.isfile, HEADERS)):
        reason = f"cannot compile examples/cpp; install: apt-get install {PACKAGES}"
        if os.environ.get("TIEPOINT_REQUIRE_CPP") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    openvino = pytest.importorskip("openvino").__path__[0]
    build = tmp_path_factory.mktemp("cpp")
    run("cmake", "-S", EXAMPLES / "cpp", "-B", build, f"-DOpenVINO_DIR={openvino}/cmake")
    run("cmake", "--build", build)
    return build / "tiepoint_match"


def run(*command: object) -> str:
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.weights
@pytest.mark.real
def test_it_matches_as_the_package(
    program: Path, fast_bundle: Path, photos: tuple[Path, Path], tmp_path: Path
) -> None:
    paths = [tmp_path / f"{path.stem}.png" for path in photos]  # decoders of JPEG differ
    for path, photo in zip(paths, photos, strict=True):
        PIL.Image.open(photo).convert("RGB").resize((640, 428)).save(path)
    out = run(program, fast_bundle, *paths, tmp_path / "m.json")
    found = json.loads((tmp_path / "m.json").read_text())
    expected = tiepoint.match(*paths, preset="fast", resize=512, device="cpu")
    assert f"{len(found['matches'])} matches" in out
    assert found["layers_run"] == expected.layers_run
    assert len(expected) > 100
    ours = {tuple(row) for row in np.hstack((found["points0"], found["points1"])).astype(np.float32).round(1)}
    theirs = {tuple(row) for row in np.hstack((expected.points0, expected.points1)).round(1)}
    assert len(ours ^ theirs) <= 0.001 * len(theirs)


def test_bad_input_is_one_line(program: Path, tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"format": "tiepoint-bundle", "format_version": 99}')
    for folder, message in ((tmp_path / "none", "is not a bundle"), (tmp_path, "newer format")):
        done = subprocess.run([program, folder, "a.png", "b.png"], capture_output=True, text=True)
        assert done.returncode == 1
        assert message in done.stderr
        assert done.stderr.count("\n") == 1
    assert subprocess.run([program], capture_output=True).returncode == 2
