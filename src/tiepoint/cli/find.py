"""`tiepoint find QUERY FOLDER`."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tiepoint.cli.options import JsonOption, MaskOption, MatcherOptions, matcher_options

if TYPE_CHECKING:
    from tiepoint.retrieval import Ranking


@matcher_options()
def find(
    query: Annotated[Path, typer.Argument(help="Photograph of the place.", show_default=False)],
    folder: Annotated[Path, typer.Argument(help="Where to look, sub-folders too.", show_default=False)],
    top: Annotated[int, typer.Option(min=1, help="Photographs to name, the best first.")] = 10,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Write a picture of the query and the best (.png, .jpg, .webp)."),
    ] = None,
    json_file: JsonOption = None,
    cache: Annotated[
        Path | None,
        typer.Option(help="Folder that keeps the features of the photographs: the next query is quick."),
    ] = None,
    mask: MaskOption = None,
    *,
    matcher: MatcherOptions,
) -> None:
    """Find the photographs of a folder that show the same place as one photograph, the surest first.

    Exits with 1 when a photograph can't be read; the others are compared.

    Example: tiepoint find query.jpg photos/ --top 5 -o found.jpg --cache features/
    """
    from tiepoint.cli.progress import watch
    from tiepoint.retrieval import find_to_files

    to_stdout = json_file == "-"
    ranking = find_to_files(
        query,
        folder,
        top=top,
        picture=output,
        json=None if to_stdout else json_file,
        cache=cache,
        mask=mask,
        watch=watch("comparing", quiet=matcher.quiet),
        preset=matcher.preset,
        **matcher.load,
    )
    if not matcher.quiet:
        _print_ranking(ranking, output, turned="rotations" in matcher.load, to_stderr=to_stdout)
    if to_stdout:
        typer.echo(json.dumps(ranking.to_dict()))
    for problem in ranking.problems:
        print(f"tiepoint: passed over: {problem}", file=sys.stderr)
    if ranking.problems:
        raise typer.Exit(1)


def _print_ranking(ranking: "Ranking", picture: Path | None, *, turned: bool, to_stderr: bool) -> None:
    from tiepoint.cli.tables import print_table

    angle = ("turned by, degrees",) if turned else ()
    print_table(
        ("probability", "same scene", "inliers", "matches", *angle, "photograph"),
        [
            (
                f"{result.verify().probability:.2f}",
                "yes" if result.verify().same_scene else "no",
                result.verify().num_inliers,
                len(result),
                *([result.rotation1] if turned else []),
                result.features1.source,
            )
            for result in ranking.results
        ],
        to_stderr=to_stderr,
    )
    lines = [f"{ranking.compared} photographs compared with {ranking.query}"]
    lines += [f"picture: {picture}"] if picture else ["for a picture add: -o found.jpg"]
    typer.echo("\n" + "\n".join(lines), err=to_stderr)
