"""`tiepoint weights`: list, download, locate and verify weights."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, cast, get_args

import typer

from tiepoint.cli.command_group import new_app
from tiepoint.cli.completion import complete_weights
from tiepoint.cli.tables import print_table
from tiepoint.errors import WeightsError
from tiepoint.io.messages import unknown_name
from tiepoint.weights.cache import file_problem
from tiepoint.weights.resolution import known_row, local_places, resolve
from tiepoint.weights.table import WEIGHTS, Weights

app = new_app(help="List, download, verify, inspect and convert weights.\n\nExample: tiepoint weights list")

Names = Annotated[
    list[str] | None,
    typer.Argument(metavar="NAME…", help="Names, as shown by 'list'.", autocompletion=complete_weights),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
File = Annotated[str, typer.Argument(metavar="FILE", help="Checkpoint file, or a name as shown by 'list'.")]
Kind = Annotated[
    str | None,
    typer.Option("--kind", metavar="FAMILY", help="Family of the weights, where tensors cannot tell it."),
]


@app.command("list")
def list_weights(as_json: AsJson = False) -> None:
    """List all weights and their licenses: on this machine, downloadable, or to be brought by you.

    Example: tiepoint weights list --json
    """
    records = [_record(row) for row in WEIGHTS.values()]
    if as_json:
        _print_json(records)
        return
    cells = [
        [
            r["name"],
            r["license"],
            "yes" if r["commercial"] else "no",
            r["shape"],
            r["place"] or r["available"],
        ]
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
    """Download weights that are not on this machine yet.

    Example: tiepoint weights download aliked-n16 aliked_lightglue
    """
    if bool(names) == all_permissive:
        raise typer.BadParameter("pass names, or --all")
    permissive = [row for row in WEIGHTS.values() if row.commercial and row.sources]
    rows = permissive if all_permissive else _rows(names)
    paths = {row.name: str(resolve(row.name, accept_license=accept_license, progress=True)) for row in rows}
    if as_json:
        _print_json(paths)
        return
    for name, path in paths.items():
        typer.echo(f"{name}: {path}")


@app.command()
def path(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Name, as shown by 'list'.", autocompletion=complete_weights)
    ],
    as_json: AsJson = False,
) -> None:
    """Print the path of weights on this machine, without downloading them.

    Example: tiepoint weights path aliked-n16
    """
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
def inspect(file: File, kind: Kind = None, as_json: AsJson = False) -> None:
    """Show which network a file contains, from its tensors: one of LightGlue's family, or an extractor.

    Example: tiepoint weights inspect checkpoint_best.tar
    """
    from tiepoint.extraction.weights_files import describe_extractor_weights
    from tiepoint.matching.lightglue_weights import open_lightglue

    description = None if kind else describe_extractor_weights(file)
    description = description or open_lightglue(file, kind=kind).describe()
    if as_json:
        _print_json(description)
        return
    for name, value in description.items():
        typer.echo(f"{name}: {_plain(value)}")
    if description["alternatives"]:
        others = ", ".join(description["alternatives"])
        remedy = "; if it is one of these, pass --kind" if "family" in description else ""
        typer.echo(f"note: files of {others} have the same tensors{remedy}")


@app.command()
def convert(
    file: File,
    to: Annotated[
        str,
        typer.Option(
            "--to",
            metavar="FORMAT",
            help="Format: official (cvg/LightGlue), huggingface, or safetensors, which holds every family.",
            autocompletion=lambda: ["official", "huggingface", "safetensors"],
        ),
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="File to write.")],
    kind: Kind = None,
) -> None:
    """Convert a checkpoint of LightGlue's family to other tensor names, bit by bit.

    Example: tiepoint weights convert checkpoint_best.tar --to huggingface -o model.safetensors
    """
    from tiepoint.matching.lightglue_weights import Target, convert_lightglue

    if to not in get_args(Target):
        raise WeightsError(unknown_name("format", to, get_args(Target)))
    converted = convert_lightglue(file, output, cast(Any, to), kind=kind)
    typer.echo(f"{output}: {converted.weights.family.name}, {len(converted.weights.tensors)} tensors")


@app.command()
def verify(names: Names = None, as_json: AsJson = False) -> None:
    """Verify the sha256 of weights on this machine; without names, of all weights.

    Example: tiepoint weights verify
    """
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
    available = "on this machine" if place else "download" if row.sources else "bring the file"
    sources = [str(source) for source in row.sources]
    return {**asdict(row), "sources": sources, "place": place, "path": path, "available": available}


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} ({count})" for name, count in value.items()) or "none"
    if isinstance(value, list):
        return ", ".join(value) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value) or "none"


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
