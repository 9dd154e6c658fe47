"""tests/unit mirrors src: a test file for every module of some length, and no test file without a module."""

from pathlib import PurePosixPath as Path

import pytest
from tests.helpers.paths import BENCHMARKS, REPOSITORY, SOURCE

UNIT = REPOSITORY / "tests" / "unit"
MAX_LINES_WITHOUT_TEST = 60
OF_PACKAGES = {"cli/test_main.py": "cli/__init__.py", "test_public_names.py": "__init__.py"}
"""Test files of packages' `__init__.py`; further ones are called test_<package>.py."""
ROOTS = {"benchmarks": BENCHMARKS, "tools": REPOSITORY / "tools"}
"""Folders of tests/unit whose modules are not in src/tiepoint."""


def path_of_test(module: Path) -> Path:
    """tests/unit/<package>/test_<module>.py, relative to tests/unit."""
    packages = {module: test for test, module in OF_PACKAGES.items()}
    if str(module) in packages:
        return Path(packages[str(module)])
    name = module.parent.name if module.name == "__init__.py" else module.stem
    return module.with_name(f"test_{name}.py")


def modules() -> list[Path]:
    package = SOURCE / "tiepoint"
    return [Path(path.relative_to(package).as_posix()) for path in sorted(package.rglob("*.py"))]


def unit_tests() -> list[Path]:
    return [Path(path.relative_to(UNIT).as_posix()) for path in sorted(UNIT.rglob("test_*.py"))]


def test_every_long_module_has_a_test_file() -> None:
    lines = {
        module: len((SOURCE / "tiepoint" / module).read_text(encoding="utf-8").splitlines())
        for module in modules()
    }
    long = [module for module, count in lines.items() if count > MAX_LINES_WITHOUT_TEST]
    missing = [str(path_of_test(module)) for module in long if not (UNIT / path_of_test(module)).is_file()]
    assert not missing, "\n".join(missing)


def test_every_test_file_has_a_module() -> None:
    expected = {path_of_test(module) for module in modules()} | {Path("test_layout.py")}
    ours = [path for path in unit_tests() if path.parts[0] not in ROOTS]
    orphans = [str(path) for path in ours if path not in expected]
    assert not orphans, "\n".join(orphans)


@pytest.mark.parametrize("folder", ROOTS)
def test_test_files_of_other_folders_have_a_module(folder: str) -> None:
    paths = [path.relative_to(folder) for path in unit_tests() if path.parts[0] == folder]
    names = [path.with_name(path.name.removeprefix("test_")) for path in paths]
    assert paths
    assert [str(name) for name in names if not (ROOTS[folder] / name).is_file()] == []
