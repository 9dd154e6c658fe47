"""`tiepoint train IMAGES OUT`."""

import json
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tiepoint.cli.completion import EXTRACTORS, RECIPES, complete_from
from tiepoint.cli.flags import print_problem
from tiepoint.cli.options import (
    DeviceOption,
    JsonOption,
    LicenseOption,
    QuietOption,
    StretchOption,
    ThreadsOption,
    parse_stretch,
    set_up_logging,
    use_threads,
)
from tiepoint.presets import GIVEN

if TYPE_CHECKING:
    from tiepoint.training.loop import StepCallback, StepReport
    from tiepoint.training.report.training_report import TrainingReport

RECIPE_DEFAULT = "the recipe's"


def train(
    images: Annotated[Path, typer.Argument(help="Folder of training images.", show_default=False)],
    out: Annotated[
        Path, typer.Argument(help="Output folder for model, checkpoint and logs.", show_default=False)
    ],
    recipe: Annotated[
        str,
        typer.Option(help="Recipe: homography, finetune or distill.", autocompletion=complete_from(*RECIPES)),
    ] = "homography",
    extractor: Annotated[
        str, typer.Option(help="Feature extractor.", autocompletion=complete_from(*EXTRACTORS))
    ] = "aliked-n16",
    init: Annotated[
        str | None,
        typer.Option(
            metavar="official|scratch|FILE",
            help="Initial weights.",
            show_default=RECIPE_DEFAULT,
            autocompletion=complete_from("official", "scratch"),
        ),
    ] = None,
    teacher: Annotated[
        str | None,
        typer.Option(
            metavar="official|FILE",
            help="Teacher weights for distillation.",
            show_default=RECIPE_DEFAULT,
            autocompletion=complete_from("official"),
        ),
    ] = None,
    layers: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Number of transformer layers; pretrained weights are truncated to this many.",
            show_default="all; 5 from scratch",
        ),
    ] = None,
    width: Annotated[
        int | None,
        typer.Option(
            min=2,
            help="Descriptor dimension inside the network; only with --init scratch.",
            show_default="128",
        ),
    ] = None,
    heads: Annotated[
        int | None,
        typer.Option(min=1, help="Number of attention heads; only with --init scratch.", show_default="2"),
    ] = None,
    lora: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="RANK",
            help="Train low-rank updates of this rank (LoRA) of frozen pretrained weights, such as 32; they are also stored "
            "as a file of their own, OUT/adapter.safetensors.",
            show_default="train all weights",
        ),
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option(help="Time budget in minutes, across resumed runs.", show_default="60 without --pairs"),
    ] = None,
    pairs: Annotated[
        int | None, typer.Option(min=1, help="Budget in training pairs, instead of minutes.")
    ] = None,
    batch_size: Annotated[
        int | None,
        typer.Option(min=1, help="Batch size (pairs) per process.", show_default=RECIPE_DEFAULT),
    ] = None,
    accumulate: Annotated[
        int | None,
        typer.Option(min=1, help="Gradient accumulation steps.", show_default=RECIPE_DEFAULT),
    ] = None,
    learning_rate: Annotated[
        float | None, typer.Option(help="Peak learning rate.", show_default=RECIPE_DEFAULT)
    ] = None,
    max_keypoints: Annotated[
        int | None,
        typer.Option(min=1, help="Maximum number of keypoints per image.", show_default=RECIPE_DEFAULT),
    ] = None,
    resize: Annotated[
        int | None,
        typer.Option(min=64, help="Image size (longer side, px).", show_default=RECIPE_DEFAULT),
    ] = None,
    warps: Annotated[
        int | None,
        typer.Option(min=2, help="Homographic warps per image.", show_default=RECIPE_DEFAULT),
    ] = None,
    stretch: StretchOption = "none",
    resume: Annotated[bool, typer.Option("--resume", help="Resume from the checkpoint in OUT.")] = False,
    val: Annotated[
        Path | None,
        typer.Option(help="Folder of validation images.", show_default="hold out 5 % of IMAGES"),
    ] = None,
    cache: Annotated[
        Path | None,
        typer.Option(
            help="Folder for cached features, which several runs may share.", show_default="OUT/features"
        ),
    ] = None,
    colmap: Annotated[
        Path | None,
        typer.Option(
            help="Folder of a COLMAP reconstruction of IMAGES; trains on its covisible image pairs."
        ),
    ] = None,
    depth_maps: Annotated[
        Path | None, typer.Option(help="Folder of COLMAP depth maps of the reconstruction.")
    ] = None,
    collection: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Output folder of 'tiepoint collection run' with the same extractor; trains on the matches of its verified "
            "pairs, besides warps of IMAGES.",
        ),
    ] = None,
    warp_fraction: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Fraction of warps with --collection.", show_default="0.5"),
    ] = None,
    features: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE|DIR",
            help="Features to train for, instead of an extractor: hloc's .h5 file, COLMAP's database, or a folder of .npz "
            "files. IMAGES are those of --colmap, or written by 'tiepoint warps'.",
        ),
    ] = None,
    kind: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Name of the features; without one, the trained matcher accepts any features.",
        ),
    ] = None,
    gradient_checkpointing: Annotated[
        bool, typer.Option("--gradient-checkpointing", help="Recompute activations to save memory.")
    ] = False,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Write TensorBoard events.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Random seed.")] = 0,
    json_file: JsonOption = None,
    device: DeviceOption = "auto",
    threads: ThreadsOption = None,
    accept_license: LicenseOption = False,
    quiet: QuietOption = False,
) -> None:
    """Train a matcher on your own images; can be interrupted, continue with --resume.

    Needs the extra train: pip install 'tiepoint[train]'

    The output folder is a preset: tiepoint match a.jpg b.jpg --preset OUT

    Example: tiepoint train photos/ out/ --minutes 60
    """
    from tiepoint.io.progress import no_progress, progress_bar
    from tiepoint.io.serialization import check_output_path
    from tiepoint.training import train as library
    from tiepoint.training.config import TrainConfig
    from tiepoint.training.loop import no_callback

    set_up_logging(quiet=quiet)
    use_threads(threads)
    if json_file not in (None, "-"):
        check_output_path(json_file, ".json")
    _check_warps(images, given(per_image=warps, resize=resize), features=features, colmap=colmap)
    config = TrainConfig.from_recipe(
        recipe,
        model=given(
            extractor=extractor,
            init=init,
            teacher=teacher,
            layers=layers,
            width=width,
            heads=heads,
            lora=lora,
        ),
        data=given(
            warps=given(per_image=warps, resize=resize, max_keypoints=max_keypoints),
            val=val,
            cache=cache,
            colmap=colmap,
            depth_maps=depth_maps,
            stretch=parse_stretch(stretch),
            features=features,
            kind=kind,
            collection=collection,
            warp_fraction=warp_fraction,
        ),
        optim=given(learning_rate=learning_rate, batch_size=batch_size, accumulate=accumulate),
        run=given(
            minutes=minutes,
            pairs=pairs,
            seed=seed,
            gradient_checkpointing=gradient_checkpointing,
            tensorboard=tensorboard,
        ),
    )
    is_silent = quiet or not _is_main_process()
    with nullcontext(no_callback) if is_silent else training_bar() as on_step:
        report = library.train(
            images,
            out,
            config,
            resume=resume,
            device=device,
            accept_license=accept_license,
            progress=no_progress if is_silent else progress_bar,
            on_step=on_step,
        )
    if _is_main_process():
        _print(report, json_file, quiet=quiet)


def given(**values: Any) -> dict[str, Any]:
    """Return the values that are not None: those that replace a recipe's."""
    return {name: value for name, value in values.items() if value is not None}


def _check_warps(images: Path, sizes: dict[str, int], *, features: Path | None, colmap: Path | None) -> None:
    """Refuse sizes of warps that the training would ignore, also those that equal the recipe's."""
    from tiepoint.errors import InvalidInput
    from tiepoint.training.data.given_data import check_warp_sizes
    from tiepoint.training.data.warp_list import WARPS

    if colmap is not None and "per_image" in sizes:
        raise InvalidInput(
            "--warps has no effect with --colmap, whose covisible image pairs are the training pairs; leave it out"
        )
    if features is not None and colmap is None and (images / WARPS).is_file():
        check_warp_sizes(images, sizes)


def _is_main_process() -> bool:
    """Whether this process prints; the other processes of torchrun are silent."""
    return os.environ.get("RANK", "0") == "0"


@contextmanager
def training_bar() -> Iterator["StepCallback"]:
    """Show the completed fraction, the loss and the remaining time on stderr, from the first step on."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    bar = Progress(*columns, console=console, transient=True)
    task = bar.add_task("training", total=1.0)

    def show(report: "StepReport") -> None:
        if console.is_terminal:
            bar.start()
            bar.update(task, completed=report.fraction_done, description=_describe(report))

    try:
        yield show
    finally:
        if bar.live.is_started:
            bar.stop()


def _describe(report: "StepReport") -> str:
    left = timedelta(seconds=round(report.seconds_left)) if math.isfinite(report.seconds_left) else "?"
    metrics = report.metrics
    return f"{metrics['pairs']:,} pairs, loss {metrics['total']:.3f}, {left} left"


def _print(report: "TrainingReport", json_file: str | None, *, quiet: bool) -> None:
    from tiepoint.io.serialization import write_json

    if json_file == "-":
        typer.echo(json.dumps(report.to_dict()))
    elif json_file is not None:
        write_json(report.to_dict(), json_file)
    for line in (*report.problems, *report.notes):
        print_problem(line)
    if json_file == "-" or quiet:
        return
    _print_table(report)
    use = f"tiepoint.load_matcher({str(report.folder)!r}) loads it"
    if report.extractor != GIVEN:
        use = f"{report.folder} can be used as a preset"
    typer.echo(f"\n{use}; {report.folder / 'report.html'} shows the training")


def _print_table(report: "TrainingReport") -> None:
    from tiepoint.cli.tables import print_table

    typer.echo(
        f"{report.pairs:,} pairs in {report.seconds / 60:.1f} minutes, best validation after "
        f"{report.best_pairs:,} pairs; protocol {report.protocol.name}\n"
    )
    print_table(
        ("matcher", "precision", "recall", "AUC", "layers", "seconds per pair"),
        [
            (name, *_percent(m.precision, m.recall, m.auc), f"{m.layers:.1f}", f"{m.seconds:.4f}")
            for name, m in report.metrics.items()
        ],
    )


def _percent(*fractions: float) -> list[str]:
    return ["–" if math.isnan(fraction) else f"{100 * fraction:.1f} %" for fraction in fractions]
