"""Waiting for pages, and their accessibility."""

import os
from collections.abc import Callable
from typing import Any

import pytest
from tests.helpers.paths import REPOSITORY

AXE = REPOSITORY / "viewer" / "node_modules" / "axe-core" / "axe.min.js"
Open = Callable[..., Any]


def settle(page: Any) -> None:
    """Wait until what was requested is drawn."""
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def serious_violations(page: Any) -> list[str]:
    """Rules of axe-core that the page violates seriously, with the elements."""
    if not AXE.is_file():
        reason = "axe-core is not installed; run: make viewer"
        if os.environ.get("TIEPOINT_REQUIRE_BROWSER") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run({ preload: false })")[
        "violations"
    ]  # a file must not fetch its style sheets
    return [
        f"{rule['id']}: {node['html']}"
        for rule in found
        if rule["impact"] in ("serious", "critical")
        for node in rule["nodes"]
    ]
