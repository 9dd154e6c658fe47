"""An environment with the wheel of tiepoint-runtime and its requirements only: no torch, no tiepoint."""

import importlib.util
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.helpers.paths import REPOSITORY

REQUIREMENTS = (
    "numpy",
    "numpy.libs",
    "PIL",
    "pillow.libs",
    "onnxruntime",
    "google",
    "flatbuffers",
    "packaging",
)
"""What the wheel's requirements install."""


@dataclass(frozen=True)
class Environment:
    """Folders of importable packages.

    Attributes:
        wheel: The wheel.
        folders: Folders for PYTHONPATH.
    """

    wheel: Path
    folders: tuple[Path, ...]

    def run(self, *arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
        """Run Python without its own site-packages."""
        return subprocess.run(
            [sys.executable, "-S", *map(str, arguments)],
            capture_output=True,
            text=True,
            cwd=cwd,
            env={"PYTHONPATH": ":".join(map(str, self.folders)), "PYTHONWARNINGS": "error"},
        )


def make_environment(folder: Path) -> Environment:
    """Build the wheel and install it next to links to its requirements."""
    pip("wheel", REPOSITORY / "packages" / "tiepoint-runtime", "--no-deps", "--wheel-dir", folder)
    (wheel,) = folder.glob("*.whl")
    pip("install", wheel, "--no-deps", "--target", folder / "installed")
    requirements = folder / "requirements"
    requirements.mkdir()
    spec = importlib.util.find_spec("numpy")
    assert spec is not None
    assert spec.origin is not None
    for name in REQUIREMENTS:
        source = Path(spec.origin).parents[1] / name
        if source.exists():
            (requirements / name).symlink_to(source)
    return Environment(wheel=wheel, folders=(folder / "installed", requirements))


def pip(*arguments: object) -> None:
    """Run pip, quietly."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
