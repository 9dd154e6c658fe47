"""`tiepoint bench [A B]`."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from tiepoint.cli.completion import complete_preset
from tiepoint.cli.options import (
    AdaptiveOption,
    DeviceOption,
    JsonOption,
    LicenseOption,
    MaxKeypointsOption,
    ResizeOption,
    StretchOption,
    ThreadsOption,
    UpscaleOption,
    parse_stretch,
)

if TYPE_CHECKING:
    from tiepoint.bench import BenchReport, LatencyReport, PairReport, PresetsReport, Tuning
    from tiepoint.bench.machine import Machine
    from tiepoint.types.options import LoadOptions

ImageArgument = Annotated[
    str | None, typer.Argument(help="Image file; without images, the demo pair is used.", show_default=False)
]


def bench(
    image0: ImageArgument = None,
    image1: ImageArgument = None,
    preset: Annotated[
        str | None,
        typer.Option(
            help="Measure one preset, stage by stage. Default: all presets, in one table; with --tune, the default preset.",
            show_default=False,
            autocompletion=complete_preset,
        ),
    ] = None,
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
    """Measure the time of all presets on this machine, with your images or the demo pair (extra demo).

    Example: tiepoint bench a.jpg b.jpg --preset fast --json bench.json
    """
    from tiepoint.bench import bench as measure, bench_presets
    from tiepoint.presets import DEFAULT_PRESET

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
    json_path = None if to_stdout else json_file
    if preset is None and not tune:
        report = bench_presets(
            image0, image1, runs=runs, threads=threads, json=json_path, show_progress=True, **load
        )
        _print_presets(report, to_stderr=to_stdout)
    else:
        typer.echo("measuring …", err=True)
        report = measure(
            image0,
            image1,
            json=json_path,
            tune=tune,
            runs=runs,
            threads=threads,
            preset=preset or DEFAULT_PRESET,
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


def _print_presets(report: "PresetsReport", *, to_stderr: bool) -> None:
    from tiepoint.cli.tables import print_table

    typer.echo("\n".join(_machine_lines(report.machine)) + "\n", err=to_stderr)
    heads = ("preset", "matches", "read, s", "extract, s", "match, s", "pair, s", "pairs per second")
    print_table(heads, [_preset_row(pair) for pair in report.pairs], to_stderr=to_stderr)
    for name, reason in report.skipped.items():
        typer.echo(f"{name}: not measured: {reason}", err=True)


def _preset_row(pair: "PairReport") -> tuple[str, ...]:
    seconds = (*pair.stages.values(), pair.pair)
    cells = (f"{each.median:.3f}" for each in seconds)
    return pair.preset, str(pair.matches), *cells, f"{pair.pairs_per_second:.2f}"


def _machine_lines(machine: "Machine") -> list[str]:
    where = "" if machine.device == "cpu" else f"{machine.device}, "
    return [
        f"{machine.processor}, {where}{machine.threads} threads on {machine.cores} cores; "
        f"torch {machine.torch}, tiepoint {machine.tiepoint}",
        f"float32 matrix multiplication: {machine.gemm_gflops:.0f} GFLOP/s",
    ]


def _print_pair(pair: "PairReport", *, to_stderr: bool) -> None:
    from tiepoint.cli.tables import print_table

    lines = [
        *_machine_lines(pair.machine),
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
        "\nsmallest latency budget (--latency-budget-ms): {:.0f} ms for images of {} x {} px".format(
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
