"""tiepoint-runtime: its wheel, in an environment without torch and tiepoint, matches as the package."""

import json
import re
import zipfile
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from tests.helpers.paths import REPOSITORY
from tests.helpers.runtime_environment import Environment, make_environment
from tests.helpers.tiny_bundles import IMAGE_SIZE, tiny_source

import tiepoint


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return make_environment(tmp_path_factory.mktemp("runtime"))


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A random image, and the same one shifted."""
    folder = tmp_path_factory.mktemp("images")
    noise = np.random.default_rng(0).integers(0, 256, (IMAGE_SIZE[1], IMAGE_SIZE[0], 3), np.uint8)
    paths = folder / "a.png", folder / "b.png"
    for path, shift in zip(paths, (0, 4), strict=True):
        PIL.Image.fromarray(np.roll(noise, shift, axis=1)).save(path)
    return paths


def match(environment: Environment, cwd: Path, *arguments: object) -> tuple[int, str, str]:
    done = environment.run("-m", "tiepoint_runtime", "match", *arguments, cwd=cwd)
    return done.returncode, done.stdout, done.stderr


def test_the_wheel_holds_renamed_modules_only(environment: Environment) -> None:
    with zipfile.ZipFile(environment.wheel) as archive:
        names = archive.namelist()
        sources = "\n".join(archive.read(name).decode() for name in names if name.endswith(".py"))
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"tiepoint_runtime"}
    assert {"tiepoint_runtime/image/decoding.py", "tiepoint_runtime/py.typed"} <= set(names)
    assert not re.search(r"^\s*(from|import) (tiepoint|torch|jaxtyping)\b(?!_)", sources, re.MULTILINE)
    assert "tiepoint[" not in sources


def test_version_is_that_of_the_package() -> None:
    text = (REPOSITORY / "packages/tiepoint-runtime/src/tiepoint_runtime/__init__.py").read_text()
    assert f'__version__ = "{tiepoint.__version__}"' in text


def test_its_command_matches_as_the_package(
    environment: Environment, tiny_bundle: Path, images: tuple[Path, Path], tmp_path: Path
) -> None:
    status, stdout, stderr = match(
        environment, tmp_path, tiny_bundle, *images, "-o", "m.json", "--threads", 1
    )
    assert (status, stderr) == (0, "")
    expected = tiny_source().matcher.match(*images)
    found = tiepoint.MatchResult.load(tmp_path / "m.json")
    assert len(expected) > 5
    assert f"{len(expected)} matches" in stdout
    np.testing.assert_array_equal(found.matches, expected.matches)
    np.testing.assert_allclose(found.points0, expected.points0, atol=1e-3)
    np.testing.assert_allclose(found.points1, expected.points1, atol=1e-3)
    np.testing.assert_allclose(found.scores, expected.scores, atol=1e-4)
    assert (found.layers_run, found.stopped_by) == (expected.layers_run, expected.stopped_by)


def test_json_goes_to_stdout_and_arrays_to_files(
    environment: Environment, tiny_bundle: Path, images: tuple[Path, Path], tmp_path: Path
) -> None:
    status, stdout, stderr = match(environment, tmp_path, tiny_bundle, *images, "--json", "-o", "m.npz")
    assert status == 0
    assert "matches" in stderr
    values = json.loads(stdout)
    with np.load(tmp_path / "m.npz") as arrays:
        assert values["matches"] == arrays["matches"].tolist()


def test_errors_are_one_line_and_leave_no_file(
    environment: Environment, tiny_bundle: Path, images: tuple[Path, Path], tmp_path: Path
) -> None:
    (tmp_path / "broken.png").write_bytes(images[0].read_bytes()[:300])
    PIL.Image.new("RGB", (1, 1)).save(tmp_path / "dot.png")
    for arguments, message in (
        ((tmp_path, *images), "expected a folder written by tiepoint export"),
        ((tiny_bundle, images[0], "missing.png"), "image not found"),
        ((tiny_bundle, images[0], "broken.png"), "truncated"),
        ((tiny_bundle, images[0], images[1], "--max-keypoints", 0), "max_keypoints must be an integer"),
        ((tiny_bundle, *images, "--max-layers", 0), "max_layers must be an integer"),
    ):
        status, stdout, stderr = match(environment, tmp_path, *arguments, "-o", "m.json")
        assert (status, stdout) == (1, "")
        assert stderr.startswith("tiepoint-runtime: ")
        assert message in stderr
        assert stderr.count("\n") == 1
    assert not (tmp_path / "m.json").exists()
    assert match(environment, tmp_path, tiny_bundle, *images, "-o", "m.tiff")[0] == 1
    assert match(environment, tmp_path, tiny_bundle)[0] == 2


@pytest.mark.weights
@pytest.mark.real
def test_it_matches_two_images_with_real_weights(
    environment: Environment, fast_bundle: Path, photos: tuple[Path, Path], tmp_path: Path
) -> None:
    options = ("--max-keypoints", 512, "-o", "m.json")
    status, _, stderr = match(environment, tmp_path, fast_bundle, *photos, *options)
    assert (status, stderr) == (0, "")
    found = tiepoint.MatchResult.load(tmp_path / "m.json")
    expected = tiepoint.match(*photos, preset="fast", resize=512, max_keypoints=512, device="cpu")
    assert found.layers_run == expected.layers_run
    assert len(expected) > 50
    assert differing_points(found, expected) <= 0.001 * len(expected)


def differing_points(found: tiepoint.MatchResult, expected: tiepoint.MatchResult) -> int:
    """Matches of only one result; the order of keypoints with nearly equal scores may differ."""
    points = [
        {tuple(row) for row in np.hstack((result.points0, result.points1)).round(1)}
        for result in (found, expected)
    ]
    return len(points[0] ^ points[1])
