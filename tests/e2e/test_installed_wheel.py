"""The wheel that `pip install .` builds: what is in it, and that it works far from this repository."""

import ast
import email
import os
import re
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import numpy as np
import pytest
from tests.helpers.paths import REPOSITORY

import tiepoint

DISTRIBUTIONS = {"PIL": "pillow"}
"""Where the name that is imported isn't the name that is installed."""
OPTIONAL = {
    "skimage": "tiepoint/demo.py",
    "transformers": "tiepoint/huggingface/",
    "cv2": "tiepoint/geometry/",
    "pycolmap": ("tiepoint/geometry/", "tiepoint/collection/"),
    "matplotlib": ("tiepoint/training/report/plots.py", "tiepoint/compat/lightglue/viz2d.py"),
    "onnx": "tiepoint/exporting/onnx_models.py",
    "onnx-ir": "tiepoint/exporting/onnx_models.py",
    "onnx_ir": "tiepoint/exporting/onnx_models.py",
    "plotly": "tiepoint/collection/report/plots.py",
    "pyarrow": "tiepoint/collection/export/formats.py",
    "av": "tiepoint/video/",
    "faiss": "tiepoint/collection/pairs/retrieval.py",
    "fsspec": "tiepoint/feature_store/storage.py",
    "imagecodecs": "tiepoint/registration/",
    "tifffile": "tiepoint/registration/",
    "h5py": ("tiepoint/feature_store/hdf5_shard.py", "tiepoint/collection/export/hloc.py"),
    "ray": "tiepoint/collection/run/executors/ray.py",
    "starlette": "tiepoint/app/",
    "uvicorn": "tiepoint/app/server.py",
}
"""Libraries that are not required, each with the only files or folders that may import it."""


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    pip("wheel", REPOSITORY, "--no-deps", "--wheel-dir", folder)
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with nothing but the wheel's content; the libraries that it needs are those of the tests."""
    folder = tmp_path_factory.mktemp("site")
    pip("install", wheel, "--no-deps", "--target", folder)
    return folder


def pip(*arguments: object) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def run(installed: Path, *arguments: object, cwd: Path) -> str:
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(installed), "PYTHONWARNINGS": "error"},
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_it_holds_the_package_and_nothing_else(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    source = {path.relative_to(REPOSITORY / "src").as_posix() for path in (REPOSITORY / "src").rglob("*.py")}
    assert source <= names
    assert "tiepoint/py.typed" in names
    pages = (
        "static/viewer.js",
        "templates/base.html.jinja",
        "templates/pair.html.jinja",
        "templates/style.css",
    )
    assert {f"tiepoint/html/{name}" for name in pages} <= names
    page = ("static/app.js", "templates/index.html.jinja", "templates/app.css")
    assert {f"tiepoint/app/{name}" for name in page} <= names
    pretrained = "tiepoint/weights/pretrained/aliked_lightglue_small"
    assert {f"{pretrained}.safetensors", f"{pretrained}.json"} <= names
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"tiepoint"}
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_it_requires_every_library_that_it_imports(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (metadata,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        lines = email.message_from_bytes(archive.read(metadata)).get_all("Requires-Dist") or []
        required = {distribution(re.split(r"[^\w.-]", line)[0]) for line in lines if "extra ==" not in line}
        needed = {
            (library, name)
            for name in archive.namelist()
            if name.endswith(".py")
            for library in imported(archive.read(name))
        }
    missing = {(library, name) for library, name in needed if library not in required}
    assert {
        (library, name) for library, name in missing if not name.startswith(OPTIONAL.get(library, "-"))
    } == set()


def distribution(name: str) -> str:
    """The name as packagers compare it."""
    return name.lower().replace("_", "-")


def imported(source: bytes) -> set[str]:
    """Names of the distributions outside the standard library that a file imports anywhere."""
    modules = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            modules.add(node.module)
    tops = {module.split(".")[0] for module in modules} - set(sys.stdlib_module_names) - {"tiepoint"}
    return {distribution(DISTRIBUTIONS.get(top, top)) for top in tops}


def test_it_is_imported_from_where_it_was_installed(installed: Path, tmp_path: Path) -> None:
    where = run(installed, "-c", "import tiepoint; print(tiepoint.__file__)", cwd=tmp_path)
    assert Path(where.strip()).is_relative_to(installed)


@pytest.mark.weights
@pytest.mark.real
def test_its_command_matches_two_photographs(installed: Path, shared_data: Path, tmp_path: Path) -> None:
    photos = (shared_data / "lightglue_assets" / name for name in ("DSC_0410.JPG", "DSC_0411.JPG"))
    options = ("--resize", 512, "--max-keypoints", 512, "-o", "m.html", "--npz", "m.npz")
    out = run(installed, installed / "bin" / "tiepoint", "match", *photos, *options, cwd=tmp_path)
    with np.load(tmp_path / "m.npz") as arrays:
        count = len(arrays["matches"])
    assert count > 100
    assert f"{count} matches" in out
    assert (tmp_path / "m.html").stat().st_size > 100_000


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["app", "--preset", "fast"], "app --host 0.0.0.0 --root /data --preset fast"),
        (["match", "a b.jpg"], "match a b.jpg"),
        ([], ""),
    ],
)
def test_the_entry_point_of_the_docker_image(tmp_path: Path, arguments: list[str], expected: str) -> None:
    stub = tmp_path / "tiepoint"
    stub.write_text('#!/bin/sh\necho "$@"\n', encoding="utf-8")
    stub.chmod(0o755)
    command = [str(REPOSITORY / "docker" / "entrypoint.sh"), *arguments]
    environment = {**os.environ, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.strip() == expected


@pytest.mark.weights
def test_the_steps_of_the_docker_image(wheel: Path, tmp_path: Path) -> None:
    """In a fresh virtual environment; the libraries that the wheel needs are those of the tests."""
    libraries = sysconfig.get_path("purelib")
    environment = {**os.environ, "PIP_NO_DEPS": "1", "PYTHONPATH": libraries, "PYTHON": sys.executable}
    environment["TIEPOINT_HOME"] = str(tmp_path / "home")
    printed = ""
    for step, arguments in (
        ("install.sh", [tmp_path / "venv", f"{wheel}[demo]"]),
        ("smoke.sh", [tmp_path / "venv"]),
    ):
        command = [str(REPOSITORY / "docker" / step), *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        printed += done.stdout
    assert f"tiepoint {tiepoint.__version__}" in printed
    assert str(tmp_path / "venv") in printed, "the self-test is that of the fresh environment"
