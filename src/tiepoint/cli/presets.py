"""`tiepoint presets`."""

import json
from dataclasses import asdict
from typing import Annotated

import typer


def presets(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List the presets: extractor, matcher, short name, license of the weights, and purpose.

    Example: tiepoint presets --json
    """
    from tiepoint.presets import PRESETS, SHORT_NAMES
    from tiepoint.weights import WEIGHTS

    rows = [
        {
            "name": name,
            "short_names": [short for short, full in SHORT_NAMES.items() if full == name],
            **asdict(preset),
            "license": " + ".join(dict.fromkeys(WEIGHTS[weights].license for weights in preset.weights))
            or "no weights",
        }
        for name, preset in PRESETS.items()
    ]
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    from tiepoint.cli.tables import print_table

    print_table(
        ("preset", "short name", "license of the weights", "purpose"),
        [(r["name"], ", ".join(r["short_names"]), r["license"], r["about"]) for r in rows],
    )
