"""`tiepoint find QUERY FOLDER`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tiepoint.cli.flags import print_problem
from tiepoint.cli.options import JsonOption, MaskOption, MatcherOptions, matcher_options

if TYPE_CHECKING:
    from tiepoint.result import MatchResult
    from tiepoint.retrieval import Ranking


@matcher_options()
def find(
    query: Annotated[Path, typer.Argument(help="Query image.", show_default=False)],
    folder: Annotated[
        Path, typer.Argument(help="Folder with images, searched recursively.", show_default=False)
    ],
    top: Annotated[int, typer.Option(min=1, help="Number of results.")] = 10,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            help="Write a contact sheet of the query and the results (.png, .jpg, .webp), or a page with a viewer per result (.html).",
        ),
    ] = None,
    json_file: JsonOption = None,
    cache: Annotated[
        Path | None,
        typer.Option(
            help="Folder in which features are stored to speed up further queries; needs h5py (extra find)."
        ),
    ] = None,
    mask: MaskOption = None,
    *,
    matcher: MatcherOptions,
) -> None:
    """Find the images of a folder that show the same scene as a query image, most probable first.

    Exits with status 1 if an image cannot be read; the others are compared.

    Example: tiepoint find query.jpg photos/ --top 5 -o found.jpg --cache features/
    """
    matcher.import_torch()
    from tiepoint.retrieval import find_to_files

    to_stdout = json_file == "-"
    ranking = find_to_files(
        query,
        folder,
        output,
        json=None if to_stdout else json_file,
        top=top,
        cache=cache,
        mask=mask,
        preset=matcher.preset,
        **matcher.load,
    )
    if not matcher.quiet:
        _print_ranking(ranking, output, to_stderr=to_stdout)
    if to_stdout:
        typer.echo(json.dumps(ranking.to_dict()))
    for problem in ranking.problems:
        print_problem(f"skipped: {problem}")
    if ranking.problems:
        raise typer.Exit(1)


def _print_ranking(ranking: "Ranking", output: Path | None, *, to_stderr: bool) -> None:
    from tiepoint.cli.tables import print_table

    rotations = any(result.rotation0 or result.rotation1 for result in ranking.results)
    heads = ("rotation (query), deg", "rotation, deg") if rotations else ()
    print_table(
        ("probability", "same scene", "inliers", "matches", *heads, "image"),
        [_row(result, rotations=rotations) for result in ranking.results],
        to_stderr=to_stderr,
    )
    lines = [f"{ranking.compared} images compared with {_relative(ranking.query)}"]
    lines += [f"{_kind(output)}: {output}"] if output else ["to write a contact sheet, add: -o found.jpg"]
    typer.echo("\n" + "\n".join(lines), err=to_stderr)


def _kind(output: Path) -> str:
    from tiepoint.html.pair_page import is_page

    return "page" if is_page(output) else "contact sheet"


def _row(result: "MatchResult", *, rotations: bool) -> tuple[object, ...]:
    verification = result.verify()
    return (
        f"{verification.probability:.2f}",
        "yes" if verification.same_scene else "no",
        verification.num_inliers,
        len(result),
        *((result.rotation0, result.rotation1) if rotations else ()),
        _relative(result.features1.source or ""),
    )


def _relative(path: str) -> str:
    """Return a path as the user would type it: relative if it is in the current folder."""
    return str(Path(path).relative_to(Path.cwd())) if Path(path).is_relative_to(Path.cwd()) else path
