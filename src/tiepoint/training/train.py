"""train(): from a folder of images to a folder with a trained matcher."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import torch

from tiepoint.errors import InvalidInput
from tiepoint.extraction.networks import NETWORKS
from tiepoint.feature_store.hdf5_shard import h5py
from tiepoint.image import Image
from tiepoint.io.progress import ProgressCallback, no_progress
from tiepoint.models.device import choose_device
from tiepoint.models.lightglue.network import LightGlue
from tiepoint.models.precision import without_autocast
from tiepoint.presets import GIVEN, MODEL
from tiepoint.training.checkpoints import CHECKPOINT, check_checkpoint
from tiepoint.training.config import DEFAULT_EXTRACTOR, TrainConfig
from tiepoint.training.data.collection_data import prepare_collection_data
from tiepoint.training.data.dataset import DataPaths, TrainingData, prepare_data
from tiepoint.training.data.feature_files import FileExtractor
from tiepoint.training.data.given_data import check_given_data, prepare_given_data
from tiepoint.training.data.given_features import FeatureFunction
from tiepoint.training.distillation import DistillationPairs
from tiepoint.training.distributed import DistributedContext, has_fast_bfloat16, init_distributed
from tiepoint.training.initialization import (
    InitialWeights,
    Pretrained,
    for_given_features,
    load_pretrained,
)
from tiepoint.training.logs import check_tensorboard
from tiepoint.training.loop import StepCallback, TrainingLoop, no_callback
from tiepoint.training.lora import merge_lora
from tiepoint.training.loss import TrainingLoss
from tiepoint.training.recipes import DEFAULT_RECIPE
from tiepoint.training.report.export_model import check_extractor
from tiepoint.training.report.finalize import finalize
from tiepoint.training.report.plots import check_matplotlib
from tiepoint.training.report.training_report import TrainingReport
from tiepoint.training.resume import all_settings, resume_settings
from tiepoint.training.trainer import Trainer
from tiepoint.training.validation import validate_network, validation_digest
from tiepoint.types import Features


def train(
    images: str | os.PathLike[str],
    out: str | os.PathLike[str],
    config: TrainConfig | str = DEFAULT_RECIPE,
    *,
    features: Callable[[Image], Features] | str | os.PathLike[str] | None = None,
    resume: bool = False,
    device: str | torch.device = "auto",
    accept_license: bool = False,
    progress: ProgressCallback = no_progress,
    on_step: StepCallback = no_callback,
) -> TrainingReport:
    """Train a LightGlue matcher on a folder of images.

    The result has the weights of the best validation, not of the last step. The training can be interrupted at any time; called again with `resume`, it ends with the same result. Under
    torchrun, all processes train together, each on its own batches.

    Args:
        images: Folder of at least 10 images.
        out: Output folder: model, checkpoint, logs and report; it is a preset of `tiepoint.load`.
        config: Settings, or the name of a recipe in `tiepoint.training.recipes.RECIPES`.
        features: Features to train for, in place of `config.model.extractor`: a function image -> features, which is called
            on warps of the images; or files, as `config.data.features`. A function must return the same features for the
            same image, and a `kind` that changes with its weights: cached features are found by it.
        resume: Resume from the checkpoint in `out`, if there is one.
        device: "auto" (a GPU if there is one), "cpu", "cuda", "cuda:1", "mps".
        accept_license: Accept weights whose license does not allow commercial use.
        progress: Callback that shows the progress of feature extraction; with one, downloads of weights are shown too.
        on_step: Callback after every optimizer step.

    Raises:
        InvalidInput: If a setting is invalid, there are too few images or features, or the output folder cannot be written.
        StoreError: If the checkpoint in `out` has other settings; the message shows the difference.
        TrainingError: If the loss is not finite.
        WeightsError: If weights cannot be found, downloaded or loaded.
        MissingDependency: If h5py, matplotlib, or pycolmap for a reconstruction is not installed.

    Example:
        >>> config = tiepoint.TrainConfig.from_recipe("homography", run={"minutes": 30})
        >>> report = tiepoint.train("photos/", "out/", config)
        >>> matcher = tiepoint.load("out/")
    """
    if isinstance(config, str):
        config = TrainConfig.from_recipe(config)
    config, function = _given_features(config, features)
    folder = _open_folder(Path(out), resume=resume)
    paths = DataPaths.from_config(images, folder, config.data)
    if config.data.features is not None:
        check_given_data(paths, config)
    _check_dependencies(config)
    if config.model.extractor in NETWORKS:
        check_extractor(config.model.extractor)
    with init_distributed(choose_device(device)) as context, _training_state():
        show_progress = progress is not no_progress and context.is_main_process
        if config.model.extractor == GIVEN:
            pretrained = for_given_features(config.data, function, paths.images, context.device)
        else:
            pretrained = load_pretrained(
                config.model.extractor,
                context.device,
                stretch=config.data.stretch,
                accept_license=accept_license,
                progress=show_progress,
            )
        initial = InitialWeights(config=config.model, pretrained=pretrained, seed=config.run.seed)
        network, teacher = initial.network(), initial.teacher()
        check_checkpoint(folder, resume_settings(config, initial, context))
        data = _prepare(paths, config, pretrained, context, progress)
        if teacher is not None:
            data = context.main_process_first(lambda: _with_soft_targets(data, teacher, paths.cache))
        loop = TrainingLoop(
            trainer=_trainer(config, network, teacher, data, context, folder),
            folder=folder,
            settings=all_settings(config, initial, context, data),
            validate=lambda network: validate_network(merge_lora(network), data.held_out, data.protocol),
            validation=validation_digest(data.held_out, data.protocol),
            config=config.run,
            on_step=on_step,
        )
        loop.resume()
        loop.run()
        loop.select_best()
        return finalize(config, loop, initial, data)


def _given_features(
    config: TrainConfig, features: FeatureFunction | str | os.PathLike[str] | None
) -> tuple[TrainConfig, FeatureFunction | None]:
    """Return the settings with given features, and their function if they are not read from files."""
    function = features if callable(features) else None
    if features is not None and function is None:
        config = config.replace(data={"features": features})
    if function is not None and config.data.features is not None:
        raise InvalidInput("got features as a function and as files; pass one of them")
    kind = config.data.kind
    if function is not None and kind:
        raise InvalidInput(f"kind {kind!r} names the features of files; a function sets Features.kind itself")
    if function is None and config.data.features is None:
        if kind:
            raise InvalidInput(f"kind {kind!r} names the features of files; set features (--features)")
        if config.model.extractor == GIVEN:
            raise InvalidInput(f"extractor {GIVEN!r} requires features: a function or files")
        return config, None
    if config.model.extractor not in (DEFAULT_EXTRACTOR, GIVEN):
        raise InvalidInput(
            f"got features and the extractor {config.model.extractor!r}; leave out one of them"
        )
    return config.replace(model={"extractor": GIVEN}), function


def _prepare(
    paths: DataPaths,
    config: TrainConfig,
    pretrained: Pretrained,
    context: DistributedContext,
    progress: ProgressCallback,
) -> TrainingData:
    if isinstance(pretrained.extractor, FileExtractor):
        return prepare_given_data(paths, config, pretrained.extractor, context, progress)
    if config.data.collection is not None:
        return prepare_collection_data(paths, config, pretrained.extractor, context, progress)
    return prepare_data(paths, config, pretrained.extractor, context, progress)


@contextmanager
def _training_state() -> Iterator[None]:
    """Enable gradients and disable autocast, whatever the caller has set."""
    with torch.inference_mode(False), torch.enable_grad(), without_autocast():
        yield


def _open_folder(folder: Path, *, resume: bool) -> Path:
    """Create the output folder; a training in it is only resumed on request, a model never overwritten."""
    if (folder / CHECKPOINT).exists():
        if not resume:
            raise InvalidInput(
                f"{folder} already contains a training; resume it with --resume, or use another folder"
            )
    elif (folder / MODEL).exists():
        raise InvalidInput(f"{folder} contains a model but no {CHECKPOINT} to resume; use another folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidInput(
            f"cannot create the folder {folder}: {error.strerror or error}; use another"
        ) from error
    return folder


def _check_dependencies(config: TrainConfig) -> None:
    """Fail before the training, not after it."""
    check_matplotlib()
    h5py()
    if config.run.tensorboard:
        check_tensorboard()


def _with_soft_targets(data: TrainingData, teacher: LightGlue, cache: Path) -> TrainingData:
    """Add the predictions of a teacher to the training pairs."""
    return replace(data, dataset=DistillationPairs(data.dataset, teacher, cache))


def _trainer(
    config: TrainConfig,
    network: LightGlue,
    teacher: LightGlue | None,
    data: TrainingData,
    context: DistributedContext,
    folder: Path,
) -> Trainer:
    loss = TrainingLoss(
        network,
        teacher_weight=0.0 if teacher is None else config.optim.teacher_weight,
        checkpointing=config.run.gradient_checkpointing,
        mixed_precision=has_fast_bfloat16(context.device),
    )
    return Trainer(loss, data.dataset, config.optim, config.run.budget, context, folder)
