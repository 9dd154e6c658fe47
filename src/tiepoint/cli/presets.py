"""`tiepoint presets`."""

import json
from dataclasses import asdict
from typing import Annotated

import typer


def presets(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List the presets: extractor, matcher, licence of their weights, and what each is for."""
    from tiepoint.presets import PRESETS
    from tiepoint.weights import WEIGHTS

    rows = [
        {
            "name": name,
            **asdict(preset),
            "licence": " + ".join(dict.fromkeys(WEIGHTS[weights].licence for weights in preset.weights)),
        }
        for name, preset in PRESETS.items()
    ]
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    from tiepoint.cli.tables import print_table

    print_table(
        ("preset", "licence of the weights", "what for"),
        [(r["name"], r["licence"], r["about"]) for r in rows],
    )
