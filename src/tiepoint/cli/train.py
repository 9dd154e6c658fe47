"""`tiepoint train PHOTOS OUT`."""

import json
import math
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tiepoint.cli.options import (
    DeviceOption,
    JsonOption,
    LicenseOption,
    QuietOption,
    ThreadsOption,
    set_up_logging,
    use_threads,
)

if TYPE_CHECKING:
    from tiepoint.training.loop import OnStep, StepReport
    from tiepoint.training.report.training_report import TrainingReport

InitOption = Annotated[
    str | None,
    typer.Option(metavar="official|scratch|FILE", help="Weights to begin with; by default the recipe's."),
]
TeacherOption = Annotated[
    str | None,
    typer.Option(metavar="official|FILE", help="Whose assignments are learned; by default the recipe's."),
]


def train(
    photographs: Annotated[
        Path, typer.Argument(metavar="PHOTOS", help="Folder of photographs.", show_default=False)
    ],
    out: Annotated[
        Path, typer.Argument(help="Folder for the model, checkpoints and logs.", show_default=False)
    ],
    recipe: Annotated[str, typer.Option(help="homography, finetune or distill.")] = "homography",
    extractor: Annotated[
        str, typer.Option(help="Whose features are matched, such as aliked-n16.")
    ] = "aliked-n16",
    init: InitOption = None,
    teacher: TeacherOption = None,
    layers: Annotated[
        int | None, typer.Option(min=1, help="Of the network; of given weights the first ones.")
    ] = None,
    width: Annotated[int | None, typer.Option(min=2, help="Of the network, from scratch.")] = None,
    heads: Annotated[int | None, typer.Option(min=1, help="Of attention, from scratch.")] = None,
    minutes: Annotated[
        float | None, typer.Option(help="Spent on training, in all resumed parts; 60 without --pairs.")
    ] = None,
    pairs: Annotated[int | None, typer.Option(min=1, help="Pairs that the network sees.")] = None,
    batch_size: Annotated[int | None, typer.Option(min=1, help="Pairs at once, in each process.")] = None,
    accumulate: Annotated[int | None, typer.Option(min=1, help="Batches that make a step.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="After the warm-up.")] = None,
    max_keypoints: Annotated[
        int | None, typer.Option(min=1, help="Of a view; by default the recipe's.")
    ] = None,
    resize: Annotated[int | None, typer.Option(min=64, help="Longer side of a view in px; likewise.")] = None,
    views: Annotated[int | None, typer.Option(min=2, help="Of each photograph; likewise.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the checkpoint in OUT.")] = False,
    val: Annotated[
        Path | None, typer.Option(help="Folder of photographs to validate on; by default some are held out.")
    ] = None,
    cache: Annotated[
        Path | None,
        typer.Option(help="Folder for features, which several runs may share; by default in OUT."),
    ] = None,
    colmap: Annotated[
        Path | None,
        typer.Option(help="Folder of a finished reconstruction of PHOTOS, to learn from its points."),
    ] = None,
    depth_maps: Annotated[
        Path | None, typer.Option(help="Folder of that reconstruction's depth maps.")
    ] = None,
    gradient_checkpointing: Annotated[
        bool, typer.Option("--gradient-checkpointing", help="Slower, in much less memory.")
    ] = False,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Write events for TensorBoard too.")
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Of weights and pairs.")] = 0,
    json_file: JsonOption = None,
    device: DeviceOption = "auto",
    threads: ThreadsOption = None,
    accept_license: LicenseOption = False,
    quiet: QuietOption = False,
) -> None:
    """Train a matcher on your own photographs; killed at any time, it goes on with --resume.

    OUT is then a preset: tiepoint match a.jpg b.jpg --preset OUT

    Example: tiepoint train photos/ out/ --minutes 60
    """
    from tiepoint.io.progress import untracked
    from tiepoint.training.train import train as train_on

    set_up_logging(quiet=quiet)
    use_threads(threads)
    silent = quiet or not _leads()
    with nullcontext(_unseen) if silent else progress_bar() as on_step:
        report = train_on(
            photographs,
            out,
            recipe=recipe,
            extractor=extractor,
            init=init,
            teacher=teacher,
            layers=layers,
            width=width,
            heads=heads,
            minutes=minutes,
            pairs=pairs,
            batch_size=batch_size,
            accumulate=accumulate,
            learning_rate=learning_rate,
            max_keypoints=max_keypoints,
            resize=resize,
            views=views,
            resume=resume,
            val=val,
            cache=cache,
            colmap=colmap,
            depth_maps=depth_maps,
            gradient_checkpointing=gradient_checkpointing,
            tensorboard=tensorboard,
            device=device,
            seed=seed,
            accept_license=accept_license,
            progress=not silent,
            track=untracked if silent else _track,
            on_step=on_step,
        )
    if _leads():
        _print(report, json_file, quiet=quiet)


def _leads() -> bool:
    """Whether this process shows what is done; torchrun's others are silent."""
    return os.environ.get("RANK", "0") == "0"


def _unseen(report: "StepReport") -> None:
    """Show nothing."""


@contextmanager
def progress_bar() -> Iterator["OnStep"]:
    """A bar on stderr: share, loss, time that is left."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("training", total=1.0, visible=False)

        def show(report: "StepReport") -> None:
            bar.update(task, completed=report.done, description=_describe(report), visible=True)

        yield show


def _describe(report: "StepReport") -> str:
    left = timedelta(seconds=round(report.seconds_left)) if math.isfinite(report.seconds_left) else "?"
    figures = report.figures
    return f"{figures['pairs']:,} pairs, loss {figures['total']:.3f}, {left} left"


def _track(items: Sequence[Any], text: str) -> Iterable[Any]:
    """A progress bar on stderr, with the time that is left."""
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    return track(items, text, console=console, disable=not (items and console.is_terminal), transient=True)


def _print(report: "TrainingReport", json_file: str | None, *, quiet: bool) -> None:
    if json_file == "-":
        typer.echo(json.dumps(report.to_dict()))
    elif json_file is not None:
        Path(json_file).write_text(json.dumps(report.to_dict(), indent=1) + "\n", encoding="utf-8")
    for problem in report.problems:
        print(f"tiepoint: {problem}", file=sys.stderr)
    if json_file == "-" or quiet:
        return
    from tiepoint.cli.tables import print_table

    typer.echo(
        f"{report.pairs:,} pairs in {report.seconds / 60:.1f} minutes; protocol {report.protocol.name}\n"
    )
    print_table(
        ("matcher", "precision", "recall", "AUC", "layers", "seconds a pair"),
        [
            (name, *_percent(f.precision, f.recall, f.auc), f"{f.layers:.1f}", f"{f.seconds:.4f}")
            for name, f in report.figures.items()
        ],
    )
    typer.echo(f"\n{report.folder} is a preset now; {report.folder / 'report.html'} shows how it came about")


def _percent(*shares: float) -> list[str]:
    return [f"{100 * share:.1f} %" for share in shares]
