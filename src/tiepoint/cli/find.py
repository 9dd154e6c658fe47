"""`tiepoint find QUERY FOLDER`."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tiepoint.cli.options import (
    DeviceOption,
    JsonOption,
    LicenseOption,
    MaskOption,
    MaxKeypointsOption,
    PresetOption,
    QuietOption,
    ResizeOption,
    Rotations,
    RotationsOption,
    ThreadsOption,
    ThresholdOption,
    set_up_logging,
    use_threads,
)
from tiepoint.presets import DEFAULT_PRESET

if TYPE_CHECKING:
    from tiepoint.retrieval import Ranking


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
    preset: PresetOption = DEFAULT_PRESET,
    max_keypoints: MaxKeypointsOption = 2048,
    resize: ResizeOption = 1024,
    rotations: RotationsOption = Rotations.NONE,
    threshold: ThresholdOption = 0.1,
    device: DeviceOption = "auto",
    threads: ThreadsOption = None,
    accept_license: LicenseOption = False,
    quiet: QuietOption = False,
) -> None:
    """Find the photographs of a folder that show the same place as one photograph, the surest first.

    Exits with 1 when a photograph can't be read; the others are compared.

    Example: tiepoint find query.jpg photos/ --top 5 -o found.jpg --cache features/
    """
    from tiepoint.cli.progress import watch
    from tiepoint.retrieval import find_to_files

    set_up_logging(quiet=quiet)
    use_threads(threads)
    to_stdout = json_file == "-"
    ranking = find_to_files(
        query,
        folder,
        top=top,
        picture=output,
        json=None if to_stdout else json_file,
        cache=cache,
        mask=mask,
        watch=watch("comparing", quiet=quiet),
        preset=preset,
        max_keypoints=max_keypoints,
        resize=resize or None,
        rotations=rotations.option,
        filter_threshold=threshold,
        device=device,
        accept_license=accept_license,
        progress=not quiet,
    )
    if not quiet:
        _print_ranking(ranking, output, turned=rotations is not Rotations.NONE, to_stderr=to_stdout)
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
