"""train(): from a folder of photographs to a folder with a matcher."""

import os
from dataclasses import replace
from pathlib import Path

import torch

from tiepoint.errors import InvalidInput
from tiepoint.io.progress import Track, untracked
from tiepoint.models.device import choose_device
from tiepoint.models.lightglue.network import LightGlue
from tiepoint.presets import MODEL
from tiepoint.training.checkpoints import CHECKPOINT, check_checkpoint
from tiepoint.training.data.dataset import Places, TrainingData, prepare_data
from tiepoint.training.distillation import DistillationPairs
from tiepoint.training.distributed import Processes, has_fast_bfloat16, joined_processes
from tiepoint.training.initialization import Published, Sizes, Start, load_published
from tiepoint.training.logs import check_tensorboard
from tiepoint.training.loop import OnStep, Session, unseen
from tiepoint.training.objective import Objective
from tiepoint.training.recipes import DEFAULT_RECIPE, SCRATCH, Recipe, adapted, find_recipe
from tiepoint.training.report.finalize import finish
from tiepoint.training.report.training_report import TrainingReport
from tiepoint.training.resume import known_settings, settings_of
from tiepoint.training.schedule import Budget
from tiepoint.training.trainer import StepSettings, Trainer
from tiepoint.training.validation import validate_network

DEFAULT_MINUTES = 60.0


def train(
    photographs: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    recipe: str = DEFAULT_RECIPE,
    extractor: str = "aliked-n16",
    init: str | os.PathLike[str] | None = None,
    teacher: str | os.PathLike[str] | None = None,
    layers: int | None = None,
    width: int | None = None,
    heads: int | None = None,
    minutes: float | None = None,
    pairs: int | None = None,
    batch_size: int | None = None,
    accumulate: int | None = None,
    learning_rate: float | None = None,
    max_keypoints: int | None = None,
    resize: int | None = None,
    views: int | None = None,
    resume: bool = False,
    val: str | os.PathLike[str] | None = None,
    cache: str | os.PathLike[str] | None = None,
    colmap: str | os.PathLike[str] | None = None,
    depth_maps: str | os.PathLike[str] | None = None,
    validations: int = 10,
    checkpoint_seconds: float = 60.0,
    gradient_checkpointing: bool = False,
    tensorboard: bool = False,
    device: str | torch.device = "auto",
    seed: int = 0,
    accept_license: bool = False,
    progress: bool = False,
    track: Track = untracked,
    on_step: OnStep = unseen,
) -> TrainingReport:
    """Train a matcher on photographs.

    Killed at any time and called again with `resume`, it ends where it would have ended. Under torchrun, all processes
    train together, each with batches of its own.

    Args:
        photographs: a folder of them, ten at least.
        out: folder of everything that comes out; see `TrainingReport.folder`.
        recipe: key of `tiepoint.training.recipes.RECIPES`.
        extractor: whose features are matched; key of `tiepoint.extraction.extractor.NETWORKS`.
        init: weights to begin with, instead of the recipe's: "scratch", "official", a file, or a folder that
            `tiepoint train` has written.
        teacher: whose assignments are learned, instead of the recipe's: "official", a file or a folder.
        layers: of the network; of weights that exist, the first ones.
        width: of the network, from scratch.
        heads: of attention, from scratch.
        minutes: spent on steps, in all resumed parts together; or
        pairs: that the network sees, in all processes. Without either: 60 minutes.
        batch_size: pairs that go through the network together, in each process, instead of the recipe's.
        accumulate: batches that make a step, instead of the recipe's.
        learning_rate: after the warm-up, instead of the recipe's.
        max_keypoints: of a view, instead of the recipe's.
        resize: longer side of a view in px, instead of the recipe's.
        views: of each photograph, instead of the recipe's.
        resume: go on from the checkpoint in `out`, where there is one.
        val: a folder of photographs that aren't trained on; None: a twentieth of `photographs` is held out.
        cache: folder of the features of all views, which several runs may share; None: inside `out`.
        colmap: folder of a finished reconstruction of `photographs`: pairs are its images, and its points the truth.
        depth_maps: folder of COLMAP's depth maps of that reconstruction.
        validations: on the way.
        checkpoint_seconds: a checkpoint is written when so much time has passed; 0: after every step.
        gradient_checkpointing: a third slower, in a fraction of the memory.
        tensorboard: write events for TensorBoard too.
        device: see `tiepoint.load`.
        seed: of random weights and of the pairs.
        accept_license: consent to weights that aren't free for commercial use.
        progress: whether to show downloads of weights on stderr.
        track: shows progress of what is done to a list of things.
        on_step: is called after every step.

    Raises:
        InvalidInput: options that can't be, too few photographs, a folder that can't be written to.
        StoreError: `resume` of another training: the message shows the difference.
        TrainingError: the loss isn't a number any more.
        WeightsError: weights can't be found, fetched or loaded.

    Example:
        >>> report = tiepoint.train("photos/", "out/", minutes=60)
        >>> matcher = tiepoint.load("out/")
    """
    row = adapted(
        find_recipe(recipe),
        learning_rate=learning_rate,
        batch_size=batch_size,
        accumulate=accumulate,
        max_keypoints=max_keypoints,
        resize=resize,
        views=views,
    )
    budget = Budget(pairs=pairs, minutes=minutes if pairs or minutes is not None else DEFAULT_MINUTES)
    sizes = Sizes(layers, width, heads)
    places = Places(
        photographs=Path(photographs),
        cache=Path(cache or Path(out) / "features"),
        val=_path(val),
        colmap=_path(colmap),
        depth_maps=_path(depth_maps),
    )
    folder = _open_folder(Path(out), resume=resume)
    if tensorboard:
        check_tensorboard()
    with joined_processes(choose_device(device)) as processes:
        loud = progress and processes.leads
        published = load_published(extractor, processes.device, accept_license=accept_license, progress=loud)
        start = _start(row, published, init, teacher, sizes, seed)
        network, teaching = start.network(), start.teaching_network()
        check_checkpoint(folder, known_settings(recipe, row, start, processes))
        data = prepare_data(places, row, published.extractor, processes, seed=seed, track=track)
        if teaching is not None:
            data = processes.lead_first(lambda: _with_soft_targets(data, teaching, places.cache))
        objective = Objective(
            network,
            teacher_weight=0.0 if teaching is None else row.teacher_weight,
            checkpointing=gradient_checkpointing,
            mixed_precision=has_fast_bfloat16(processes.device),
        )
        session = Session(
            trainer=_trainer(row, budget, objective, data, processes, folder),
            folder=folder,
            settings=settings_of(recipe, row, start, data, processes),
            validate=lambda network: validate_network(network, data.held_out, data.protocol),
            validations=validations,
            checkpoint_seconds=checkpoint_seconds,
            tensorboard=tensorboard,
            on_step=on_step,
        )
        session.resume()
        session.run()
        return finish(recipe, session, start, data)


def _open_folder(folder: Path, *, resume: bool) -> Path:
    """Make the folder; one that holds a training is touched only to resume it, one that holds a model never."""
    if (folder / CHECKPOINT).exists():
        if not resume:
            raise InvalidInput(
                f"{folder} holds a training already; go on with it by --resume, or name another folder"
            )
    elif (folder / MODEL).exists():
        raise InvalidInput(f"{folder} holds a model, and no {CHECKPOINT} to go on from; name another folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidInput(
            f"can't make the folder {folder}: {error.strerror or error}; choose another"
        ) from error
    return folder


def _start(
    recipe: Recipe,
    published: Published,
    init: str | os.PathLike[str] | None,
    teacher: str | os.PathLike[str] | None,
    sizes: Sizes,
    seed: int,
) -> Start:
    """What the caller asks for, else the recipe's; the recipe's sizes are for random weights only."""
    chosen = _named(init) or recipe.init
    if chosen == SCRATCH:
        sizes = Sizes(sizes.layers or recipe.layers, sizes.width or recipe.width, sizes.heads or recipe.heads)
    taught_by = _named(teacher) or recipe.teacher
    return Start(init=chosen, sizes=sizes, seed=seed, teacher=taught_by, published=published)


def _with_soft_targets(data: TrainingData, teacher: LightGlue, cache: Path) -> TrainingData:
    """The same data, whose pairs have what the teacher predicts for them."""
    return replace(data, source=DistillationPairs(data.source, teacher, cache))


def _path(path: str | os.PathLike[str] | None) -> Path | None:
    return None if path is None else Path(path)


def _named(weights: str | os.PathLike[str] | None) -> str | None:
    return None if weights is None else os.fspath(weights)


def _trainer(
    recipe: Recipe,
    budget: Budget,
    objective: Objective,
    data: TrainingData,
    processes: Processes,
    folder: Path,
) -> Trainer:
    settings = StepSettings(
        schedule=recipe.schedule,
        budget=budget,
        batch_size=recipe.batch_size,
        accumulate=recipe.accumulate,
        weight_decay=recipe.weight_decay,
        max_gradient_norm=recipe.max_gradient_norm,
    )
    return Trainer(objective, data.source, settings, processes, folder)
