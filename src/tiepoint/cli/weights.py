"""tiepoint weights: what there is, where it lies, download it, check it."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from tiepoint.cli.tables import print_table
from tiepoint.errors import WeightsError
from tiepoint.weights.cache import fault
from tiepoint.weights.resolution import known_row, local_places, resolve
from tiepoint.weights.table import WEIGHTS, Weights

app = typer.Typer(no_args_is_help=True, help="Published weights: list, download, find and verify them.")

Names = Annotated[list[str] | None, typer.Argument(metavar="NAME…", help="Names as 'list' shows them.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


@app.command("list")
def list_weights(as_json: AsJson = False) -> None:
    """Show every set of weights, its license, and where it lies on this machine."""
    records = [_record(row) for row in WEIGHTS.values()]
    if as_json:
        _print_json(records)
        return
    cells = [
        [r["name"], r["license"], "yes" if r["commercial"] else "no", r["shape"], r["place"] or "-"]
        for r in records
    ]
    print_table(["name", "license", "commercial", "shape", "lies in"], cells)


@app.command()
def download(
    names: Names = None,
    all_permissive: Annotated[bool, typer.Option("--all", help="All that allow commercial use.")] = False,
    accept_license: Annotated[
        bool, typer.Option("--accept-license", help="I may use weights that forbid commercial use.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make weights available on this machine; what is here already isn't downloaded again."""
    if bool(names) == all_permissive:
        raise typer.BadParameter("give names, or --all")
    rows = [row for row in WEIGHTS.values() if row.commercial] if all_permissive else _rows(names)
    paths = {row.name: str(resolve(row.name, accept_license=accept_license, progress=True)) for row in rows}
    if as_json:
        _print_json(paths)
        return
    for name, path in paths.items():
        typer.echo(f"{name}: {path}")


@app.command()
def path(name: Annotated[str, typer.Argument(metavar="NAME")], as_json: AsJson = False) -> None:
    """Print where weights lie on this machine; nothing is downloaded."""
    row = known_row(name)
    _, found = _first_place(row)
    if found is None:
        raise WeightsError(f"weights {name!r} aren't on this machine; run: tiepoint weights download {name}")
    if as_json:
        _print_json({"name": name, "path": found})
        return
    typer.echo(found)


@app.command()
def verify(names: Names = None, as_json: AsJson = False) -> None:
    """Compare the sha256 of the weights on this machine with the table's; all of them without names."""
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
            f"{len(bad)} of {len(records)} can't be used, the first: {name} ({state}); "
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
    states = [(fault(path, row.sha256) or "ok", str(path)) for _, path in _present(row)]
    if not states:
        return [{"name": row.name, "state": "not here", "path": None}]
    return [{"name": row.name, "state": state, "path": path} for state, path in states]


def _present(row: Weights) -> list[tuple[str, Path]]:
    return [(place, path) for place, path in local_places(row) if path and path.is_file()]


def _print_json(value: Any) -> None:
    typer.echo(json.dumps(value, indent=2))
