"""`tiepoint track VIDEO|CAMERA|URL|FRAMES…`."""

import json
from contextlib import nullcontext
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tiepoint.cli.flags import print_problem
from tiepoint.cli.interrupts import stop_on_interrupt
from tiepoint.cli.options import (
    JsonOption,
    LatencyBudgetOption,
    MatcherOptions,
    MaxLayersOption,
    matcher_options,
)

if TYPE_CHECKING:
    from tiepoint.video import Tracks


@matcher_options(max_keypoints=1024, resize=640, views=False)
def track(
    frames: Annotated[
        list[str],
        typer.Argument(
            help="Video, camera index such as 0, or URL of a stream (these need av: extra video); folder of frames, or "
            "frame files in order.",
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
    report: Annotated[
        Path | None,
        typer.Option(help="Output page: tracks per frame, and frames in the interactive viewer (.html)."),
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
    live: Annotated[
        bool | None,
        typer.Option(
            "--live/--no-live",
            help="Track the newest frame and drop those that arrive meanwhile; a video file is played at its frame rate.",
            show_default="live for cameras, streams, and URLs without a duration",
        ),
    ] = None,
    max_frames: Annotated[
        int | None, typer.Option(min=1, help="Maximum number of frames to track.", show_default="all")
    ] = None,
    max_seconds: Annotated[
        float | None,
        typer.Option(
            min=0.0, help="Maximum time in s from the first frame; only live.", show_default="no limit"
        ),
    ] = None,
    input_option: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            help="Option of FFmpeg for the input, such as video_size=1280x720 or rtsp_transport=udp; repeatable.",
            show_default=False,
        ),
    ] = None,
    max_layers: MaxLayersOption = None,
    latency_budget_ms: LatencyBudgetOption = None,
    *,
    matcher: MatcherOptions,
) -> None:
    """Track keypoints through a video, a camera, a stream or an image sequence.

    Exits with status 1 if a frame cannot be used; the other frames are tracked and keep their indices. Ctrl-C ends a camera
    or stream, and the files are written.

    Example: tiepoint track clip.mp4 -o tracks.npz --video overlay.mp4
    """
    matcher.import_torch()
    from tiepoint.video import ReadOptions, track_to_files
    from tiepoint.video.frames import never

    to_stdout = json_file == "-"
    load = matcher.load
    if max_layers is not None:
        load["max_layers"] = max_layers
    if latency_budget_ms is not None:
        load["latency_budget_ms"] = latency_budget_ms
    source, options = _source(frames), _parse_options(input_option or [])
    with stop_on_interrupt() if _is_endless(source, live) else nullcontext(never) as should_stop:
        tracks = track_to_files(
            source,
            output,
            json=None if to_stdout else json_file,
            video=video,
            report=report,
            rate=None if rate is None else Fraction(rate).limit_denominator(1001),
            min_tracked=min_tracked,
            reading=ReadOptions(
                live=live,
                max_frames=max_frames,
                max_seconds=max_seconds,
                input_options=options,
                should_stop=should_stop,
            ),
            preset=matcher.preset,
            **load,
        )
    if not matcher.quiet:
        written = [f"tracks: {output}"] if output else ["to save the tracks, add: -o tracks.npz"]
        written += [f"{kind}: {path}" for kind, path in (("video", video), ("page", report)) if path]
        summary = [_summary(tracks)] if tracks.seconds is None else [_summary(tracks), _live_summary(tracks)]
        typer.echo("\n".join([*summary, *written]), err=to_stdout)
    if to_stdout:
        typer.echo(json.dumps(tracks.to_dict()))
    for problem in tracks.problems:
        print_problem(problem)
    if tracks.problems:
        raise typer.Exit(1)


def _source(frames: list[str]) -> int | str | list[str]:
    """Return the index of a camera, one path or URL, or all paths; a file named 0 is a file."""
    if len(frames) > 1:
        return frames
    is_index = frames[0].isascii() and frames[0].isdigit() and not Path(frames[0]).exists()
    return int(frames[0]) if is_index else frames[0]


def _is_endless(source: int | str | list[str], live: bool | None) -> bool:
    """Return whether the user ends the command: cameras, URLs, and with --live."""
    from tiepoint.video.frames import find_video

    if live or isinstance(source, int | list):
        return bool(live) or isinstance(source, int)
    video = find_video(source)
    return video is not None and video.kind != "file"


def _parse_options(texts: list[str]) -> dict[str, str]:
    options = {}
    for text in texts:
        name, separator, value = text.partition("=")
        if not (name and separator):
            raise typer.BadParameter(f"expected NAME=VALUE, got {text!r}", param_hint="--input-option")
        options[name] = value
    return options


def _live_summary(tracks: "Tracks") -> str:
    """Return the number of tracked and dropped frames, and the rate."""
    used, seconds = tracks.num_tracked_frames, tracks.seconds or 0.0
    rate = f", {used / seconds:.1f} frames per second" if seconds else ""
    return f"live: {used} frames tracked in {seconds:.1f} s{rate}; {tracks.num_dropped} dropped"


def _summary(tracks: "Tracks") -> str:
    import numpy as np

    used = tracks.num_tracked_frames
    if used == 1:
        return "1 frame: nothing to track"
    if len(tracks) == 0:
        return f"{used} frames: no point was tracked"
    return (
        f"{len(tracks)} tracks through {used} frames, median length {np.median(tracks.lengths):g} frames, "
        f"maximum {tracks.lengths.max()}; {len(tracks.keyframes)} keyframes"
    )
