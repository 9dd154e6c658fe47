"""`diagnose`: what a bug report needs to say about this installation, and a self-test with real weights."""

import os
import platform
import re
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, metadata, version
from pathlib import Path
from time import perf_counter
from typing import Any

import torch

from tiepoint.api import load
from tiepoint.errors import TiepointError
from tiepoint.io.folders import file_sizes
from tiepoint.io.home import home_folder
from tiepoint.io.machine import available_cores, processor_name
from tiepoint.matching.device_check import SHIFT, tiny_pair
from tiepoint.presets import DEFAULT_PRESET, PRESETS, SHORT_NAMES
from tiepoint.weights.resolution import local_places
from tiepoint.weights.table import WEIGHTS

SELF_TEST_PRESETS = (DEFAULT_PRESET, SHORT_NAMES["fast"])
MAX_ERROR_PX = 1.0  # of a match of the self-test
MIN_MATCHES, MIN_CORRECT = 20, 0.9  # number of matches, and fraction of correct ones, of a passed self-test

VARIABLES = (
    *("TIEPOINT_HOME", "TIEPOINT_OFFLINE", "HF_ENDPOINT", "HF_HUB_OFFLINE"),
    *("OMP_NUM_THREADS", "MKL_NUM_THREADS", "CUDA_VISIBLE_DEVICES"),
)
DEVELOPMENT_EXTRAS = ("all", "bench", "check", "test", "test-unit")
EXTRA_MARKER = re.compile(r"extra == ['\"]([\w-]+)['\"]")
NAME = re.compile(r"[\w.-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfTest:
    """Result of matching a tiny pair with known ground truth.

    Attributes:
        preset: Name of the preset.
        passed: Whether enough matches were found, and enough of them are correct.
        matches: Number of matches.
        correct: Number of matches within 1 px of the ground truth.
        seconds: Duration in seconds, including loading.
        reason: Why the preset could not be tested or failed; "" if it passed.
    """

    preset: str
    passed: bool
    matches: int = 0
    correct: int = 0
    seconds: float = 0.0
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """Installation, machine, weights and self-test.

    Attributes:
        versions: Package -> version, for tiepoint, Python and all required packages.
        machine: Description -> value: system, processor, instruction set, cores, threads, GPUs.
        extras: Extra -> packages that are missing; an empty list means that the extra is complete.
        environment: Environment variables that change the behavior, if they are set.
        cache: Folder in $TIEPOINT_HOME -> size in bytes.
        weights: Name -> location on this machine; None if the file is not here.
        tests: Results of the self-test.
    """

    versions: dict[str, str]
    machine: dict[str, str]
    extras: dict[str, list[str]]
    environment: dict[str, str]
    cache: dict[str, int]
    weights: dict[str, str | None]
    tests: list[SelfTest]

    @property
    def passed(self) -> bool:
        """Whether no self-test failed; presets without weights on this machine are not tested."""
        return all(test.passed for test in self.tests)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        return asdict(self) | {"passed": self.passed}


def diagnose(*, self_test: bool = True) -> Diagnosis:
    """Describe this installation, and match a tiny pair with the weights that are on this machine.

    Nothing is downloaded.

    Args:
        self_test: Run the self-test, which takes some seconds.
    """
    return Diagnosis(
        versions={"tiepoint": version("tiepoint"), "python": platform.python_version()} | _required(),
        machine=_machine(),
        extras=missing_packages(),
        environment={name: os.environ[name] for name in VARIABLES if name in os.environ},
        cache=_cache(home_folder()),
        weights={name: _location(name) for name in WEIGHTS},
        tests=[run_self_test(name) for name in SELF_TEST_PRESETS if _is_here(name)] if self_test else [],
    )


def missing_packages() -> dict[str, list[str]]:
    """Return the packages of each extra that are not installed; an empty list means that the extra is complete."""
    missing: dict[str, list[str]] = {}
    for extra, package in _requirements():
        if extra is not None and extra not in DEVELOPMENT_EXTRAS:
            missing.setdefault(extra, []).extend([] if _version(package) else [package])
    return missing


def run_self_test(preset: str) -> SelfTest:
    """Match a tiny pair whose second image is the first one, moved by a known number of px."""
    start = perf_counter()
    try:
        result = load(preset).match(*tiny_pair())
    except (TiepointError, RuntimeError, OSError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        return SelfTest(preset=preset, passed=False, seconds=perf_counter() - start, reason=reason)
    errors = abs(result.points0 - result.points1 - SHIFT).max(axis=1) if len(result) else result.scores
    correct = int((errors <= MAX_ERROR_PX).sum())
    passed = len(result) >= MIN_MATCHES and correct >= MIN_CORRECT * len(result)
    return SelfTest(
        preset=preset,
        passed=passed,
        matches=len(result),
        correct=correct,
        seconds=perf_counter() - start,
        reason="" if passed else "too few correct matches",
    )


def _required() -> dict[str, str]:
    packages = [package for extra, package in _requirements() if extra is None]
    return {package: _version(package) or "missing" for package in packages}


def _requirements() -> Iterator[tuple[str | None, str]]:
    """Yield (extra, package) for each requirement of tiepoint; the extra is None if it is always required."""
    for requirement in metadata("tiepoint").get_all("Requires-Dist") or ():
        name, marker = NAME.match(requirement), EXTRA_MARKER.search(requirement)
        if name and name[0] != "tiepoint":
            yield (marker[1] if marker else None), name[0]


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _machine() -> dict[str, str]:
    gpus = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return {
        "system": platform.platform(),
        "python": sys.executable,
        "processor": processor_name(),
        "instruction set": torch.backends.cpu.get_cpu_capability(),
        "cores": str(available_cores()),
        "threads": str(torch.get_num_threads()),
        "oneDNN": "yes" if torch.backends.mkldnn.is_available() else "no",
        "CUDA GPUs": ", ".join(gpus) or "none",
        "Apple GPU (MPS)": "yes" if torch.backends.mps.is_available() else "no",
    }


def _cache(home: Path) -> dict[str, int]:
    """Return the size of each folder and file directly below $TIEPOINT_HOME."""
    if not home.is_dir():
        return {}
    return {str(path): _size(path) for path in sorted(home.iterdir())}


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else sum(file_sizes(path))


def _location(name: str) -> str | None:
    found = (str(path) for _, path in local_places(WEIGHTS[name]) if path and path.is_file())
    return next(found, None)


def _is_here(preset: str) -> bool:
    return all(_location(name) for name in PRESETS[preset].weights)
