"""Versions of installed packages, for records."""

from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

PACKAGES = ("tiepoint", "torch", "numpy", "poselib", "opencv-python-headless", "pycolmap")
"""Packages that published metrics depend on."""


def installed_versions(packages: Sequence[str] = PACKAGES) -> dict[str, str]:
    """Return name -> version of the given packages; packages that are not installed are left out."""
    found = {}
    for name in packages:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
