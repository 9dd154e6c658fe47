"""Build hook: the wheel consists of modules of the package `tiepoint`, which are renamed, and of the files in `src`.

The modules are those that the files in `src` import, directly or through another module; they need NumPy and Pillow
only. `tiepoint.image.decoding` becomes `tiepoint_runtime.image.decoding`, and so do all imports of it. A source
distribution contains the renamed files, so that a wheel can be built from it without the repository.
"""

import re
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PACKAGE = "tiepoint_runtime"

IMPORT = re.compile(r"^(\s*from )tiepoint\.(\S+)(?= import )", re.MULTILINE)
EXTRA = re.compile(r"\btiepoint\[")
PACKAGE_DOCSTRING = '"""Part of the package tiepoint."""\n'


class RuntimeBuildHook(BuildHookInterface):
    """Writes the files of the package into a temporary folder, from which the builder takes them."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add all files of the package to the distribution."""
        own = Path(self.root, "src", PACKAGE)
        source = Path(self.root, "..", "..", "src", "tiepoint")
        self._folder = tempfile.TemporaryDirectory(prefix="tiepoint-runtime-")
        folder = Path(self._folder.name)
        files = {path.relative_to(own): path for path in own.rglob("*") if path.is_file()}
        if (source / "errors.py").is_file():  # otherwise this is a source distribution
            files |= {name: source / name for name in required_modules(files.values(), source)}
        prefix = "src/" if self.target_name == "sdist" else ""
        for name in sorted(files):
            if name.suffix in (".py", ".typed"):
                path = write(folder / name, renamed(files[name].read_text(encoding="utf-8")))
                build_data["force_include"][str(path)] = f"{prefix}{PACKAGE}/{name.as_posix()}"
        for name in {name.parent for name in files} - {Path()}:
            if name / "__init__.py" not in files and name.name != "__pycache__":
                path = write(folder / name / "__init__.py", PACKAGE_DOCSTRING)
                build_data["force_include"][str(path)] = f"{prefix}{PACKAGE}/{name.as_posix()}/__init__.py"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove the temporary folder."""
        self._folder.cleanup()


def required_modules(files: Iterable[Path], source: Path) -> set[Path]:
    """Return all modules of `tiepoint` that files import, directly or through another module.

    Args:
        files: Files of this distribution.
        source: Folder of the package.
    """
    found: set[Path] = set()
    pending = [path for path in files if path.suffix == ".py"]
    while pending:
        text = pending.pop().read_text(encoding="utf-8")
        imported = {Path(*name.split(".")).with_suffix(".py") for _, name in IMPORT.findall(text)}
        pending += [source / name for name in imported - found]
        found |= imported
    return found


def renamed(source: str) -> str:
    """Return the source of a module with its imports and the names of extras renamed."""
    return EXTRA.sub("tiepoint-runtime[", IMPORT.sub(rf"\1{PACKAGE}.\2", source))


def write(path: Path, text: str) -> Path:
    """Write a file and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path
