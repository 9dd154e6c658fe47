"""`tiepoint match A B`."""

import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tiepoint.presets import DEFAULT_PRESET

if TYPE_CHECKING:
    from tiepoint.result import MatchResult

ImageArgument = Annotated[str, typer.Argument(help="Photograph: a file or a URL.", show_default=False)]


def match(
    image0: ImageArgument,
    image1: ImageArgument,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Write a picture of the matches (.png, .jpg, .webp)."),
    ] = None,
    json_file: Annotated[
        str | None,
        typer.Option("--json", metavar="FILE|-", help="Write everything as JSON; - is standard output."),
    ] = None,
    npz: Annotated[Path | None, typer.Option("--npz", help="Write everything as NumPy arrays.")] = None,
    preset: Annotated[
        str, typer.Option(help="Extractor and matcher; see `tiepoint presets`.")
    ] = DEFAULT_PRESET,
    max_keypoints: Annotated[int, typer.Option(min=1, help="Keypoints an image.")] = 2048,
    resize: Annotated[
        int, typer.Option(min=0, help="Longer side in px of what the extractor sees; 0: as the file is.")
    ] = 1024,
    threshold: Annotated[
        float, typer.Option(min=-1.0, max=1.0, help="A match has a score above this.")
    ] = 0.1,
    adaptive: Annotated[
        bool,
        typer.Option("--adaptive/--no-adaptive", help="Stop early on easy pairs, drop hopeless keypoints."),
    ] = True,
    max_lines: Annotated[int, typer.Option(min=1, help="Lines in the picture, the strongest first.")] = 500,
    keypoints: Annotated[
        bool, typer.Option("--keypoints", help="Show unmatched keypoints in the picture.")
    ] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")] = "auto",
    accept_license: Annotated[
        bool, typer.Option("--accept-license", help="Consent to weights that aren't free for commercial use.")
    ] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Print nothing but errors.")] = False,
) -> None:
    """Find the tie points of two photographs.

    Example: tiepoint match a.jpg b.jpg -o matches.png --json matches.json
    """
    from tiepoint.api import match_to_files

    logging.basicConfig(level=logging.ERROR if quiet else logging.WARNING, format="tiepoint: %(message)s")
    to_stdout = json_file == "-"
    result = match_to_files(
        image0,
        image1,
        picture=output,
        json=None if to_stdout else json_file,
        npz=npz,
        draw={"max_lines": max_lines, "keypoints": keypoints},
        preset=preset,
        max_keypoints=max_keypoints,
        resize=resize or None,
        filter_threshold=threshold,
        adaptive=adaptive,
        device=device,
        accept_license=accept_license,
        progress=not quiet,
    )
    if not quiet:
        _print_summary(result, output, to_stderr=to_stdout)
    if to_stdout:
        typer.echo(json.dumps(result.to_dict()))


def _print_summary(result: "MatchResult", picture: Path | None, *, to_stderr: bool) -> None:
    from tiepoint.cli.tables import print_table

    print_table(("", "image 0", "image 1"), _image_rows(result), to_stderr=to_stderr)
    seconds = "   ".join(f"{stage} {value:.2f} s" for stage, value in result.seconds.items())
    lines = [f"{len(result)} matches   {result.layers_run} layers   {seconds}"]
    lines += [f"picture: {picture}"] if picture else ["for a picture add: -o matches.png"]
    typer.echo("\n" + "\n".join(lines), err=to_stderr)


def _image_rows(result: "MatchResult") -> list[tuple[Any, ...]]:
    both = (result.features0, result.features1)
    return [
        ("file", *(Path(features.source or "").name for features in both)),
        ("size", *("{} x {}".format(*features.image_size) for features in both)),
        ("keypoints", *(len(features) for features in both)),
    ]
