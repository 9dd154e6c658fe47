"""TrainConfig: all settings of a training in four parts: model, data, optim and run.

Example:
    >>> config = TrainConfig.from_recipe("finetune", optim={"learning_rate": 5e-5}, run={"minutes": 30})
    >>> report = tiepoint.train("photos/", "out/", config)
"""

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any, TypeVar

from tiepoint.errors import InvalidInput
from tiepoint.image.stretch import check_stretch
from tiepoint.io.messages import unknown_name
from tiepoint.io.validation import check_integer
from tiepoint.training.data.homographic_warps import WarpConfig
from tiepoint.training.data.pairs import check_fraction
from tiepoint.training.data.random_homography import HomographyConfig
from tiepoint.training.schedule import Budget, Schedule
from tiepoint.types.options import Stretch

T = TypeVar("T")

OFFICIAL, SCRATCH = "official", "scratch"
"""Sources of weights besides files: the pretrained matcher of the extractor, or random weights."""

DEFAULT_EXTRACTOR = "aliked-n16"

DEFAULT_MINUTES = 60.0

SCRATCH_SIZES = {"layers": 5, "width": 128, "heads": 2}
"""Default sizes of a network that is trained from scratch."""

Overrides = Mapping[str, Any]
"""Field names of a part of `TrainConfig` -> values; a mapping for a nested part."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelConfig:
    """Extractor, initial weights and size of the network.

    Attributes:
        extractor: Key of `tiepoint.extraction.networks.NETWORKS`; "given" for features of another origin.
        init: Initial weights: "scratch", "official" (pretrained for the extractor), a weights file, or a folder
            written by `tiepoint train`.
        teacher: Teacher for distillation: "official", a weights file or a folder; None trains without a teacher.
        layers: Number of transformer layers; pretrained weights are truncated to this many. None: all layers of
            pretrained weights, 5 from scratch.
        width: Descriptor dimension inside the network. None: that of pretrained weights, 128 from scratch.
        heads: Number of attention heads. None: that of pretrained weights, 2 from scratch.
        lora: Rank of low-rank updates (LoRA) of frozen pretrained weights; None trains all weights.

    Raises:
        InvalidInput: If a size is not a positive integer, the teacher is "scratch", or there are low-rank updates of weights
            from scratch or of a part of the layers.
    """

    extractor: str = DEFAULT_EXTRACTOR
    init: str | os.PathLike[str] = SCRATCH
    teacher: str | os.PathLike[str] | None = None
    layers: int | None = None
    width: int | None = None
    heads: int | None = None
    lora: int | None = None

    def __post_init__(self) -> None:
        _paths_to_str(self, "init", "teacher")
        if self.teacher == SCRATCH:
            raise InvalidInput("invalid teacher 'scratch'; expected 'official', a file or a folder")
        for name in (*SCRATCH_SIZES, "lora"):
            if getattr(self, name) is not None:
                check_integer(name, getattr(self, name), 1, alternative="None")
        if self.lora is not None and self.init == SCRATCH:
            raise InvalidInput(
                "lora changes pretrained weights, got init 'scratch'; set init (--init official)"
            )
        if self.lora is not None and self.layers is not None:
            raise InvalidInput("lora keeps all layers of the pretrained weights; leave out layers")

    def size(self, name: str) -> int | None:
        """Return a requested size of the network; from scratch, the default size replaces None."""
        requested = getattr(self, name)
        return SCRATCH_SIZES[name] if requested is None and self.init == SCRATCH else requested


@dataclass(frozen=True, slots=True, kw_only=True)
class DataConfig:
    """Training pairs and validation images.

    Attributes:
        warps: Homographic warps of each image; their image size and number of keypoints also apply to the images of a
            reconstruction.
        negatives: Fraction of pairs without overlap, in [0, 1].
        val: Folder of validation images; None holds out 5 % of the training images.
        cache: Folder for features, which several runs may share; None: `features` in the output folder.
        colmap: Folder of a COLMAP reconstruction of the images: trains on its covisible pairs instead of warps.
        depth_maps: Folder of COLMAP's depth maps of the reconstruction; None uses its tracks.
        stretch: Percentile stretch of all images, as for `tiepoint.load`.
        features: Features of the images by another program: hloc's .h5 file, COLMAP's database, or a folder of .npz files;
            the images are those of a reconstruction, or warps written by `tiepoint warps`. None extracts features.
        kind: Name of the descriptor in `features`; the trained matcher is for this kind.
        collection: Output folder of `tiepoint collection run` with the same extractor: trains on the matches of its verified
            pairs, which need not be pairs of `images`, besides warps of the images.
        warp_fraction: Fraction of pairs that are warps, in [0, 1], with a collection.

    Raises:
        InvalidInput: If the stretch is invalid, a fraction is outside [0, 1], there are depth maps without a reconstruction,
            warps per image with one, features from files with a stretch, or a collection with a reconstruction, features
            or validation images.
    """

    warps: WarpConfig = field(
        default_factory=lambda: WarpConfig(homography=HomographyConfig(max_angle_deg=35.0))
    )
    negatives: float = 0.05
    val: str | os.PathLike[str] | None = None
    cache: str | os.PathLike[str] | None = None
    colmap: str | os.PathLike[str] | None = None
    depth_maps: str | os.PathLike[str] | None = None
    stretch: Stretch = None
    features: str | os.PathLike[str] | None = None
    kind: str = ""
    collection: str | os.PathLike[str] | None = None
    warp_fraction: float = 0.5

    def __post_init__(self) -> None:
        _paths_to_str(self, "val", "cache", "colmap", "depth_maps", "features", "collection")
        for name in ("negatives", "warp_fraction"):
            check_fraction(name, getattr(self, name))
        if self.collection is not None:
            self._check_collection()
        object.__setattr__(self, "stretch", check_stretch(self.stretch))
        if self.depth_maps is not None and self.colmap is None:
            raise InvalidInput("depth maps require their COLMAP reconstruction; set colmap (--colmap)")
        if self.colmap is not None and self.warps.per_image != WarpConfig().per_image:
            raise InvalidInput(
                f"per_image={self.warps.per_image} has no effect with a reconstruction, whose image pairs are the training "
                "pairs; leave it out"
            )
        if self.stretch is not None and self.features is not None:
            raise InvalidInput("features from files have no stretch; leave out stretch")

    def _check_collection(self) -> None:
        """Refuse other sources of ground truth next to a collection."""
        for name in ("colmap", "features", "val"):
            if getattr(self, name) is not None:
                raise InvalidInput(
                    f"{name} cannot be combined with a collection, whose verified pairs are the ground truth; leave out one of them"
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimConfig:
    """Optimizer and loss.

    Attributes:
        learning_rate: Peak learning rate of AdamW.
        schedule: Learning-rate schedule.
        weight_decay: Weight decay of AdamW.
        batch_size: Pairs per batch and process.
        accumulate: Gradient accumulation steps: batches per optimizer step.
        max_gradient_norm: Maximum gradient norm; larger gradients are clipped.
        teacher_weight: Weight of the distillation loss, in [0, 1]; the ground-truth loss has the rest.

    Raises:
        InvalidInput: If a value is out of range.
    """

    learning_rate: float = 1e-3
    schedule: Schedule = field(default_factory=Schedule)
    weight_decay: float = 0.01
    batch_size: int = 8
    accumulate: int = 1
    max_gradient_norm: float = 1.0
    teacher_weight: float = 0.5

    def __post_init__(self) -> None:
        for name in ("batch_size", "accumulate"):
            check_integer(name, getattr(self, name), 1)
        for name in ("learning_rate", "max_gradient_norm"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise InvalidInput(f"{name} must be a positive number, got {getattr(self, name)!r}")
        check_fraction("teacher_weight", self.teacher_weight)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunConfig:
    """Length of the run, checkpoints, logs and memory; none of it but the seed changes the result of a step.

    Attributes:
        minutes: Time budget in minutes, across resumed runs; None: 60 without `pairs`.
        pairs: Budget in training pairs, over all processes, instead of minutes.
        seed: Random seed of initial weights and pairs.
        validations: Number of validations during the training.
        checkpoint_seconds: Seconds between checkpoints; 0 writes one after every step.
        gradient_checkpointing: Recompute activations in the backward pass: a third slower, in much less memory.
        tensorboard: Write TensorBoard events.

    Raises:
        InvalidInput: If minutes and pairs are both given, or a value is out of range.
    """

    minutes: float | None = None
    pairs: int | None = None
    seed: int = 0
    validations: int = 10
    checkpoint_seconds: float = 60.0
    gradient_checkpointing: bool = False
    tensorboard: bool = False

    def __post_init__(self) -> None:
        check_integer("seed", self.seed, 0)
        check_integer("validations", self.validations, 0)
        if not self.checkpoint_seconds >= 0:
            raise InvalidInput(f"checkpoint_seconds must be at least 0, got {self.checkpoint_seconds!r}")
        _ = self.budget

    @property
    def budget(self) -> Budget:
        """Length of the training."""
        unlimited = self.minutes is None and self.pairs is None
        return Budget(pairs=self.pairs, minutes=DEFAULT_MINUTES if unlimited else self.minutes)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig:
    """All settings of a training; the default is the recipe "homography".

    `tiepoint.io.config.to_dict` and `from_dict` convert it to and from JSON values, as in `training.json`.

    Attributes:
        recipe: Name of the recipe that the settings started from, for records.
        model: Extractor, initial weights and size of the network.
        data: Training pairs and validation images.
        optim: Optimizer and loss.
        run: Length of the run, checkpoints, logs and memory.
    """

    recipe: str = "homography"
    model: ModelConfig = field(default_factory=ModelConfig)
    data: DataConfig = field(default_factory=DataConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    run: RunConfig = field(default_factory=RunConfig)

    @classmethod
    def from_recipe(cls, name: str, **parts: Overrides) -> "TrainConfig":
        """Return the settings of a recipe with some values replaced.

        Args:
            name: Key of `tiepoint.training.recipes.RECIPES`.
            parts: Values to replace, by part; see `replace`.

        Raises:
            InvalidInput: If the recipe or a field is unknown, or a value is invalid.

        Example:
            >>> TrainConfig.from_recipe("distill", model={"layers": 2}, run={"minutes": 45})
        """
        from tiepoint.training.recipes import find_recipe

        return find_recipe(name).config.replace(**parts)

    def replace(self, **parts: Overrides) -> "TrainConfig":
        """Return a copy with some values replaced.

        Args:
            parts: Values to replace, by part: "model", "data", "optim" and "run"; nested parts are mappings too.

        Raises:
            InvalidInput: If a field is unknown, or a value is invalid.

        Example:
            >>> config.replace(data={"warps": {"resize": 320}}, optim={"batch_size": 4})
        """
        return _replace(self, parts, "TrainConfig")


def _replace(config: T, values: Overrides, where: str) -> T:
    """Replace fields of nested dataclasses."""
    names = [field.name for field in fields(config)]  # type: ignore[arg-type]
    changed = {}
    for name, value in values.items():
        if name not in names:
            raise InvalidInput(unknown_name(f"field of {where}", name, names))
        current = getattr(config, name)
        nested = is_dataclass(current) and isinstance(value, Mapping)
        changed[name] = _replace(current, value, f"{where}.{name}") if nested else value
    return replace(config, **changed)  # type: ignore[type-var]


def _paths_to_str(config: Any, *names: str) -> None:
    """Convert path-like fields to strings, which JSON can hold; only for `__post_init__`."""
    for name in names:
        if (value := getattr(config, name)) is not None:
            object.__setattr__(config, name, os.fspath(value))
