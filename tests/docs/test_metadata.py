"""Facts that several files state: version, supported Python versions, dependencies, extras."""

import re
import tomllib
from itertools import chain

import pytest
import yaml
from packaging.requirements import Requirement
from tests.helpers.paths import REPOSITORY

import tiepoint

PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
DEVELOPMENT = {"all", "bench", "check", "docs", "notebook", "test", "test-unit"}
"""Extras that `all` leaves out."""
PINS = dict(
    line.split("==")
    for line in (REPOSITORY / "constraints.txt").read_text().splitlines()
    if not line.startswith("#")
)
WORKFLOWS = sorted((REPOSITORY / ".github" / "workflows").glob("*.yml"))


def requirements() -> dict[str, list[Requirement]]:
    """Requirements by extra; "" has those of the package itself."""
    lists = {"": PROJECT["dependencies"], **EXTRAS}
    return {
        extra: [Requirement(line) for line in lines if not line.startswith("tiepoint[")]
        for extra, lines in lists.items()
    }


def workflow(name: str) -> dict:
    return yaml.safe_load((REPOSITORY / ".github" / "workflows" / name).read_text())


def test_the_citation_has_the_version_of_the_package() -> None:
    citation = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text())
    assert citation["version"] == tiepoint.__version__
    assert citation["repository-code"] == PROJECT["urls"]["Source"]


def test_all_has_every_extra_for_users() -> None:
    (line,) = EXTRAS["all"]
    assert Requirement(line).extras == EXTRAS.keys() - DEVELOPMENT


@pytest.mark.parametrize("extra", sorted(EXTRAS.keys() - {"all"} | {""}))
def test_constraints_pin_versions_that_the_package_accepts(extra: str) -> None:
    for requirement in requirements()[extra]:
        assert requirement.specifier.contains(PINS[requirement.name]), requirement


def test_a_library_has_the_same_bounds_in_every_extra() -> None:
    bounds: dict[str, set[str]] = {}
    for requirement in chain.from_iterable(requirements().values()):
        bounds.setdefault(requirement.name, set()).add(str(requirement.specifier))
    assert {name: found for name, found in bounds.items() if len(found) > 1} == {}


def test_every_supported_python_is_tested() -> None:
    supported = re.findall(r"Python :: (3\.\d+)", "\n".join(PROJECT["classifiers"]))
    assert workflow("tests.yml")["jobs"]["fast"]["strategy"]["matrix"]["python"] == supported
    assert PROJECT["requires-python"] == f">={supported[0]}"


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_workflows_get_no_rights_that_they_do_not_need(path) -> None:
    content = yaml.safe_load(path.read_text())
    assert content["permissions"] == {"contents": "read"}
    rights = {name: job["permissions"] for name, job in content["jobs"].items() if "permissions" in job}
    expected = {"release": {"publish": {"id-token": "write"}}, "docs": {"publish": {"contents": "write"}}}
    assert rights == expected.get(path.stem, {})


def test_every_target_of_make_in_workflows_exists() -> None:
    targets = set(re.findall(r"^([\w-]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
    named = {target for path in WORKFLOWS for target in re.findall(r"run: make ([\w-]+)", path.read_text())}
    assert named
    assert named <= targets


def recipe() -> dict:
    return yaml.safe_load((REPOSITORY / "conda" / "recipe.yaml").read_text())


def test_the_conda_recipe_has_the_version_and_the_dependencies_of_the_package() -> None:
    names = {"torch": "pytorch"}  # PyPI -> conda-forge
    lines = [f"python {PROJECT['requires-python']}"]
    lines += [f"{names.get(r.name, r.name)} {r.specifier}" for r in requirements()[""]]
    assert sorted(recipe()["requirements"]["run"]) == sorted(lines)
    assert recipe()["context"]["version"] == tiepoint.__version__
    (script,) = PROJECT["scripts"].items()
    assert recipe()["build"]["python"]["entry_points"] == [" = ".join(script)]


def test_the_steps_of_the_image_are_scripts_that_the_tests_run() -> None:
    text = (REPOSITORY / "docker" / "Dockerfile").read_text()
    tested = (REPOSITORY / "tests" / "e2e" / "test_installed_wheel.py").read_text()
    scripts = set(re.findall(r"docker/(\w+\.sh)", text))
    assert scripts == {path.name for path in (REPOSITORY / "docker").glob("*.sh")}
    assert all(f'"{name}"' in tested for name in scripts)
