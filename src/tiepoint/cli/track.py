"""`tiepoint track VIDEO|FRAMES…`."""

import json
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tiepoint.cli.flags import print_problem
from tiepoint.cli.options import JsonOption, MatcherOptions, matcher_options

if TYPE_CHECKING:
    from tiepoint.video import Tracks


@matcher_options(max_keypoints=1024, resize=640, rotations=False)
def track(
    frames: Annotated[
        list[Path],
        typer.Argument(
            help="Video (needs av: extra video), folder of frames, or frame files in order.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Output file for the tracks (.npz or .json).")
    ] = None,
    video: Annotated[
        Path | None,
        typer.Option(
            help="Output video of the frames with the trails of tracked points (.mp4); needs av (extra video)."
        ),
    ] = None,
    json_file: JsonOption = None,
    rate: Annotated[
        float | None,
        typer.Option(
            min=0.1,
            max=240,
            help="Frame rate of the output video in frames per second.",
            show_default="that of the input video, else 10",
        ),
    ] = None,
    min_tracked: Annotated[
        float,
        typer.Option(
            min=0.0, max=1.0, help="Minimum fraction of keyframe keypoints tracked before a new keyframe."
        ),
    ] = 0.4,
    *,
    matcher: MatcherOptions,
) -> None:
    """Track keypoints through a video or an image sequence.

    Exits with status 1 if a frame cannot be used; the other frames are tracked and keep their indices.

    Example: tiepoint track clip.mp4 -o tracks.npz --video overlay.mp4
    """
    from tiepoint.video import track_to_files

    to_stdout = json_file == "-"
    tracks = track_to_files(
        frames[0] if len(frames) == 1 else frames,
        output,
        json=None if to_stdout else json_file,
        video=video,
        rate=None if rate is None else Fraction(rate).limit_denominator(1001),
        min_tracked=min_tracked,
        preset=matcher.preset,
        **matcher.load,
    )
    if not matcher.quiet:
        written = [f"tracks: {output}"] if output else ["to save the tracks, add: -o tracks.npz"]
        written += [f"video: {video}"] if video else []
        typer.echo("\n".join([_summary(tracks), *written]), err=to_stdout)
    if to_stdout:
        typer.echo(json.dumps(tracks.to_dict()))
    for problem in tracks.problems:
        print_problem(problem)
    if tracks.problems:
        raise typer.Exit(1)


def _summary(tracks: "Tracks") -> str:
    import numpy as np

    used = tracks.num_frames - len(tracks.problems)
    if used == 1:
        return "1 frame: nothing to track"
    if len(tracks) == 0:
        return f"{used} frames: no point was tracked"
    return (
        f"{len(tracks)} tracks through {used} frames, median length {np.median(tracks.lengths):g} frames, "
        f"maximum {tracks.lengths.max()}; {len(tracks.keyframes)} keyframes"
    )
