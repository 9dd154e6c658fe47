"""`tiepoint bench [A B]`."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from tiepoint.cli.options import (
    AdaptiveOption,
    DeviceOption,
    JsonOption,
    LicenseOption,
    MaxKeypointsOption,
    PresetOption,
    ResizeOption,
    StretchOption,
    ThreadsOption,
    UpscaleOption,
    parse_stretch,
)
from tiepoint.presets import DEFAULT_PRESET

if TYPE_CHECKING:
    from tiepoint.bench import BenchReport, LatencyReport, PairReport, Tuning
    from tiepoint.types.options import LoadOptions

ImageArgument = Annotated[
    str | None, typer.Argument(help="Image file; without images, the demo pair is used.", show_default=False)
]


def bench(
    image0: ImageArgument = None,
    image1: ImageArgument = None,
    preset: PresetOption = DEFAULT_PRESET,
    max_keypoints: MaxKeypointsOption = 2048,
    resize: ResizeOption = 1024,
    upscale: UpscaleOption = None,
    stretch: StretchOption = "none",
    adaptive: AdaptiveOption = None,
    runs: Annotated[int, typer.Option(min=1, help="Number of timed runs (after warm-up).")] = 5,
    threads: ThreadsOption = None,
    tune: Annotated[
        bool,
        typer.Option(
            "--tune",
            help="Also measure other settings and recommend the fastest, without changing them; and measure and keep "
            "what --latency-budget-ms needs to know about this machine.",
        ),
    ] = False,
    json_file: JsonOption = None,
    device: DeviceOption = "auto",
    accept_license: LicenseOption = False,
) -> None:
    """Measure the time of each stage on this machine, with your images or the demo pair (extra demo).

    Example: tiepoint bench a.jpg b.jpg --max-keypoints 4096 --json bench.json
    """
    from tiepoint.bench import bench as measure

    to_stdout = json_file == "-"
    load: LoadOptions = {
        "max_keypoints": max_keypoints,
        "resize": resize or None,
        "stretch": parse_stretch(stretch),
        "device": device,
        "accept_license": accept_license,
        "progress": True,
    }
    if upscale is not None:
        load["upscale"] = upscale
    if adaptive is not None:
        load["adaptive"] = adaptive
    typer.echo("measuring …", err=True)
    report = measure(
        image0,
        image1,
        json=None if to_stdout else json_file,
        tune=tune,
        runs=runs,
        threads=threads,
        preset=preset,
        **load,
    )
    _print_report(report, to_stderr=to_stdout)
    if to_stdout:
        typer.echo(json.dumps(report.to_dict()))


def _print_report(report: "BenchReport", *, to_stderr: bool) -> None:
    _print_pair(report.pair, to_stderr=to_stderr)
    for tuning in report.tunings:
        _print_tuning(tuning, to_stderr=to_stderr)
    if report.latency is not None:
        _print_latency(report.latency, to_stderr=to_stderr)


def _print_pair(pair: "PairReport", *, to_stderr: bool) -> None:
    from tiepoint.cli.tables import print_table

    machine = pair.machine
    where = "" if machine.device == "cpu" else f"{machine.device}, "
    lines = [
        f"{machine.processor}, {where}{machine.threads} threads on {machine.cores} cores; "
        f"torch {machine.torch}, tiepoint {machine.tiepoint}",
        f"float32 matrix multiplication: {machine.gemm_gflops:.0f} GFLOP/s",
        f"{pair.preset}, {pair.images[0]} and {pair.images[1]}: {pair.keypoints[0]} and {pair.keypoints[1]} "
        f"keypoints, {pair.matches} matches, {pair.layers_run} layers",
    ]
    typer.echo("\n".join(lines) + "\n", err=to_stderr)
    print_table(("stage", "median, s", "interquartile range, s"), _stage_rows(pair), to_stderr=to_stderr)
    typer.echo(
        f"\n{pair.pairs_per_second:.2f} pairs per second from files, {pair.matched_pairs_per_second:.2f} "
        f"from features; peak memory {pair.peak_memory_bytes / 2**20:.0f} MiB",
        err=to_stderr,
    )


def _stage_rows(pair: "PairReport") -> list[tuple[str, str, str]]:
    return [
        (name, f"{seconds.median:.3f}", "{:.3f} to {:.3f}".format(*seconds.quartiles))
        for name, seconds in (*pair.stages.items(), ("pair", pair.pair))
    ]


def _print_tuning(tuning: "Tuning", *, to_stderr: bool) -> None:
    from tiepoint.cli.tables import print_table

    typer.echo(err=to_stderr)
    heads = (tuning.option, *(f"{name}, s" for name in tuning.default.pairs), "speed-up")
    print_table(heads, _trial_rows(tuning), to_stderr=to_stderr)
    typer.echo(f"\n{_recommendation(tuning)}", err=to_stderr)


def _trial_rows(tuning: "Tuning") -> list[tuple[str, ...]]:
    return [
        (
            f"{trial.value}{' (default)' if trial is tuning.default else ''}",
            *(f"{seconds.median:.3f}" for seconds in trial.pairs.values()),
            f"{tuning.speedup(trial):.2f}",
        )
        for trial in tuning.trials
    ]


def _print_latency(latency: "LatencyReport", *, to_stderr: bool) -> None:
    from tiepoint.cli.tables import print_table

    rows = [
        (f"{ms:g}", *(("-", "-") if plan is None else (f"{plan.max_keypoints}", f"{plan.max_layers}")))
        for ms, plan in latency.plans.items()
    ]
    typer.echo(err=to_stderr)
    print_table(("latency budget, ms", "keypoints", "layers"), rows, to_stderr=to_stderr)
    typer.echo(
        "\nsmallest latency budget: {:.0f} ms for images of {} x {} px; measured for --latency-budget-ms".format(
            latency.smallest_ms, *latency.image_size
        ),
        err=to_stderr,
    )


ADVICE = {
    "pruning_min_keypoints": "--pruning-min-keypoints {0}, in Python tiepoint.load(…, pruning_min_keypoints={0})",
    "threads": "--threads {0}, in Python torch.set_num_threads({0})",
}
# Option -> how to set it


def _recommendation(tuning: "Tuning") -> str:
    if tuning.recommended is tuning.default:
        return f"keep the default of {tuning.option}: no value is reliably faster"
    return f"recommended: {ADVICE[tuning.option].format(tuning.recommended.value)}"
