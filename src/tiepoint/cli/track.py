"""`tiepoint track VIDEO|FRAMES…`."""

import json
import sys
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tiepoint.cli.options import JsonOption, MatcherOptions, matcher_options

if TYPE_CHECKING:
    from tiepoint.video import Tracks


@matcher_options(max_keypoints=1024, resize=640, rotations=False)
def track(
    frames: Annotated[
        list[Path],
        typer.Argument(help="A video, a folder of frames, or the frames in order.", show_default=False),
    ],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Where to write the tracks (.npz or .json).")
    ] = None,
    video: Annotated[
        Path | None, typer.Option(help="Also write the frames with the trails of their points (.mp4).")
    ] = None,
    json_file: JsonOption = None,
    rate: Annotated[
        float | None,
        typer.Option(
            min=0.1, max=240, help="Frames a second of that video; by default as the video given, else 10."
        ),
    ] = None,
    min_share: Annotated[
        float,
        typer.Option(min=0.0, max=1.0, help="With fewer of its keypoints found again, the keyframe changes."),
    ] = 0.4,
    *,
    matcher: MatcherOptions,
) -> None:
    """Follow keypoints through a video or a sequence of photographs.

    Exits with 1 when a frame can't be used; the others are tracked, and keep their numbers.

    Example: tiepoint track clip.mp4 -o tracks.npz --video overlay.mp4
    """
    from tiepoint.cli.progress import watch
    from tiepoint.video import track_to_files

    to_stdout = json_file == "-"
    tracks = track_to_files(
        frames[0] if len(frames) == 1 else frames,
        output,
        json=None if to_stdout else json_file,
        video=video,
        rate=None if rate is None else Fraction(rate).limit_denominator(1001),
        min_share=min_share,
        watch=watch("tracking", quiet=matcher.quiet),
        preset=matcher.preset,
        **matcher.load,
    )
    if not matcher.quiet:
        written = [f"tracks: {output}"] if output else ["to keep them add: -o tracks.npz"]
        written += [f"video: {video}"] if video else []
        typer.echo("\n".join([_summary(tracks), *written]), err=to_stdout)
    if to_stdout:
        typer.echo(json.dumps(tracks.to_dict()))
    for problem in tracks.problems:
        print(f"tiepoint: {problem}", file=sys.stderr)
    if tracks.problems:
        raise typer.Exit(1)


def _summary(tracks: "Tracks") -> str:
    import numpy as np

    used = tracks.num_frames - len(tracks.problems)
    if used == 1:
        return "1 frame: there is nothing to follow"
    if len(tracks) == 0:
        return f"{used} frames: no point is in two of them"
    return (
        f"{len(tracks)} tracks through {used} frames, {np.median(tracks.lengths):g} frames long in the median, "
        f"{tracks.lengths.max()} at most; {len(tracks.keyframes)} keyframes"
    )
