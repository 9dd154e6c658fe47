"""`tiepoint collection plan`."""

import json
from pathlib import Path

import pytest
from tests.helpers.synthetic_collections import PLAIN_NAMES, make_collection
from typer.testing import CliRunner

from tiepoint.cli import app
from tiepoint.cli.collection_plan import format_bytes


def test_plan_prints_the_forecast(tmp_path: Path) -> None:
    folder = make_collection(tmp_path, PLAIN_NAMES[:3])[0].folder
    state = json.loads((folder / "collection.json").read_text())
    state["options"]["verify"] = True
    (folder / "collection.json").write_text(json.dumps(state))
    work = {"extract": 3.0, "match": 0.3, "verify": 0.3}
    new = dict.fromkeys(("features", "matches", "verified"), 3)
    (folder / "report.json").write_text(json.dumps({"new": new, "work_seconds": work}))
    arguments = ["collection", "plan", str(folder), "--images", "1000", "--pairs", "sequential:10"]
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    rows = [line.split() for line in result.stdout.splitlines()]
    assert ["extract", "1,000", "67", "17", "min"] in [row[:5] for row in rows]
    assert ["match", "9,945"] in [row[:2] for row in rows]


@pytest.mark.parametrize(("count", "text"), [(12, "12 B"), (1500, "1.5 kB"), (3.2e12, "3.2 TB")])
def test_sizes(count: float, text: str) -> None:
    assert format_bytes(count) == text
