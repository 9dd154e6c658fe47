"""`tiepoint weights`: list, download, locate and verify weights."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from tiepoint.cli.command_group import new_app
from tiepoint.cli.tables import print_table
from tiepoint.errors import WeightsError
from tiepoint.weights.cache import file_problem
from tiepoint.weights.resolution import known_row, local_places, resolve
from tiepoint.weights.table import WEIGHTS, Weights

app = new_app(help="List, download, locate and verify published weights.")

Names = Annotated[list[str] | None, typer.Argument(metavar="NAME…", help="Names, as shown by 'list'.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("list")
def list_weights(as_json: AsJson = False) -> None:
    """List all weights, their licenses, and their locations on this machine."""
    records = [_record(row) for row in WEIGHTS.values()]
    if as_json:
        _print_json(records)
        return
    cells = [
        [r["name"], r["license"], "yes" if r["commercial"] else "no", r["shape"], r["place"] or "-"]
        for r in records
    ]
    print_table(["name", "license", "commercial", "shape", "location"], cells)


@app.command()
def download(
    names: Names = None,
    all_permissive: Annotated[
        bool, typer.Option("--all", help="All weights that allow commercial use.")
    ] = False,
    accept_license: Annotated[
        bool, typer.Option("--accept-license", help="Accept licenses that forbid commercial use.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Download weights that are not on this machine yet."""
    if bool(names) == all_permissive:
        raise typer.BadParameter("pass names, or --all")
    rows = [row for row in WEIGHTS.values() if row.commercial] if all_permissive else _rows(names)
    paths = {row.name: str(resolve(row.name, accept_license=accept_license, progress=True)) for row in rows}
    if as_json:
        _print_json(paths)
        return
    for name, path in paths.items():
        typer.echo(f"{name}: {path}")


@app.command()
def path(name: Annotated[str, typer.Argument(metavar="NAME")], as_json: AsJson = False) -> None:
    """Print the path of weights on this machine, without downloading them."""
    row = known_row(name)
    _, found = _first_place(row)
    if found is None:
        raise WeightsError(
            f"weights {name!r} not found on this machine; run: tiepoint weights download {name}"
        )
    if as_json:
        _print_json({"name": name, "path": found})
        return
    typer.echo(found)


@app.command()
def verify(names: Names = None, as_json: AsJson = False) -> None:
    """Verify the sha256 of weights on this machine; without names, of all weights."""
    rows = _rows(names) if names else list(WEIGHTS.values())
    records = [record for row in rows for record in _checks(row)]
    if as_json:
        _print_json(records)
    else:
        print_table(["name", "state", "file"], [[r["name"], r["state"], r["path"] or ""] for r in records])
    bad = [r for r in records if r["state"] != "ok" and (names or r["path"])]
    if bad:
        name, state = bad[0]["name"], bad[0]["state"]
        raise WeightsError(
            f"{len(bad)} of {len(records)} files are invalid, first: {name} ({state}); "
            f"run: tiepoint weights download {name}"
        )


def _rows(names: list[str] | None) -> list[Weights]:
    return [known_row(name) for name in names or []]


def _record(row: Weights) -> dict[str, Any]:
    place, path = _first_place(row)
    return {**asdict(row), "sources": [str(source) for source in row.sources], "place": place, "path": path}


def _first_place(row: Weights) -> tuple[str, str] | tuple[None, None]:
    return next(((place, str(path)) for place, path in _present(row)), (None, None))


def _checks(row: Weights) -> list[dict[str, Any]]:
    states = [(file_problem(path, row.sha256) or "ok", str(path)) for _, path in _present(row)]
    if not states:
        return [{"name": row.name, "state": "not found", "path": None}]
    return [{"name": row.name, "state": state, "path": path} for state, path in states]


def _present(row: Weights) -> list[tuple[str, Path]]:
    return [(place, path) for place, path in local_places(row) if path and path.is_file()]


def _print_json(value: Any) -> None:
    typer.echo(json.dumps(value, indent=2))
