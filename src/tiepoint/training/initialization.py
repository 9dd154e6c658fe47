"""Initial weights of a training: the pretrained extractor and matcher, the trained network, and its teacher."""

import os
from dataclasses import dataclass
from pathlib import Path

import torch

from tiepoint.api import load
from tiepoint.errors import InvalidInput
from tiepoint.extraction.extractor import NeuralExtractor
from tiepoint.extraction.networks import NETWORKS
from tiepoint.feature_store import JSONScalar
from tiepoint.io.hashing import SHORT_DIGEST_LENGTH, file_digest
from tiepoint.io.messages import unknown_name
from tiepoint.matching.adapters import Base
from tiepoint.matching.lightglue import LightGlueMatcher
from tiepoint.matching.lightglue_weights import open_lightglue
from tiepoint.models.lightglue.network import LightGlue, LightGlueShape
from tiepoint.models.lightglue.recognition import build
from tiepoint.presets import GIVEN, MODEL, PRESETS, preset_for_extractor
from tiepoint.training.config import OFFICIAL, SCRATCH, SCRATCH_SIZES, DataConfig, ModelConfig
from tiepoint.training.data.feature_files import extractor_from_files
from tiepoint.training.data.given_features import (
    FeatureFunction,
    GivenExtractor,
    extractor_from_function,
)
from tiepoint.training.lora import add_lora
from tiepoint.types.options import Stretch
from tiepoint.weights import resolve


@dataclass(frozen=True, slots=True, eq=False)
class Pretrained:
    """A pretrained extractor and the matcher that was published for it.

    Attributes:
        name: Name of the extractor.
        extractor: Extractor, on the device where it runs.
        matcher: LightGlue trained for its features; None if there is none.
    """

    name: str
    extractor: NeuralExtractor
    matcher: LightGlue | None

    @property
    def position_dim(self) -> int:
        """Values per keypoint position: 2, or 4 if given features have scales and orientations."""
        return self.extractor.position_dim if isinstance(self.extractor, GivenExtractor) else 2


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class InitialWeights:
    """Initial weights of the trained network, and its teacher.

    Attributes:
        config: Sources of the weights, and the size of the network.
        pretrained: Pretrained extractor and matcher.
        seed: Random seed of weights from scratch.
    """

    config: ModelConfig
    pretrained: Pretrained
    seed: int = 0

    def network(self) -> LightGlue:
        """Create the network with its initial weights, in training mode.

        Raises:
            InvalidInput: If the size is impossible, the weights are for other descriptors, or there is no pretrained
                matcher.
            WeightsError: If a file cannot be read.
        """
        network = self.base()
        if self.config.lora is not None:
            add_lora(network, self.config.lora, self.seed)
        return network.train()

    def base(self) -> LightGlue:
        """Create the network with its initial weights, without low-rank updates.

        Raises:
            InvalidInput, WeightsError: Same as for `network`.
        """
        network = self._from_scratch() if self.config.init == SCRATCH else self._from_weights()
        return network.to(self.pretrained.extractor.device)

    def base_file(self) -> Base:
        """Return the name and digest of the file with the initial weights.

        Raises:
            InvalidInput: If there is no such file.
        """
        preset = preset_for_extractor(self.pretrained.name)
        row = PRESETS[preset].matcher_weights if preset and self.config.init == OFFICIAL else None
        name = row or str(weights_file(self.config.init))
        return Base(name=name, sha256=file_digest(resolve(name)))

    def teacher(self) -> LightGlue | None:
        """Create the teacher, in evaluation mode and without gradients; None without one.

        Raises:
            InvalidInput: If the teacher is for other descriptors.
            WeightsError: If its file cannot be read.
        """
        name = self.config.teacher
        if name is None:
            return None
        network = load_network(name, self.pretrained)
        check_descriptor(network, f"teacher {name}", self.pretrained)
        return network.requires_grad_(False)

    def settings(self) -> dict[str, JSONScalar]:
        """Return the settings that a resumed run must share, with weights identified by their content."""
        teacher = None if self.config.teacher is None else weights_identity(self.config.teacher)
        return {
            "model.init": weights_identity(self.config.init),
            "model.teacher": teacher,
            **{f"model.{name}": self.config.size(name) for name in SCRATCH_SIZES},
        }

    def _from_scratch(self) -> LightGlue:
        size = {name: self.config.size(name) or default for name, default in SCRATCH_SIZES.items()}
        shape = LightGlueShape(
            input_dim=self.pretrained.extractor.descriptor_dim,
            dim=size["width"],
            layers=size["layers"],
            heads=size["heads"],
            position_dim=self.pretrained.position_dim,
        )
        return random_network(shape, self.seed)

    def _from_weights(self) -> LightGlue:
        name = str(self.config.init)
        network = load_network(name, self.pretrained)
        check_descriptor(network, name, self.pretrained)
        return truncate_layers(network, self.config)


def load_pretrained(
    name: str,
    device: torch.device,
    *,
    stretch: Stretch = None,
    accept_license: bool = False,
    progress: bool = False,
) -> Pretrained:
    """Load a pretrained extractor, and the matcher that was published for it.

    Args:
        name: Key of `tiepoint.extraction.networks.NETWORKS`.
        device: Device on which both run.
        stretch: Percentile stretch of images, as for `tiepoint.load`.
        accept_license: Accept weights whose license does not allow commercial use.
        progress: Show the progress of weight downloads on stderr.

    Raises:
        InvalidInput: If the extractor is unknown.
        WeightsError: If weights cannot be found, downloaded or loaded.
    """
    preset = preset_for_extractor(name)
    if name not in NETWORKS or preset is None:
        raise InvalidInput(unknown_name("extractor", name, NETWORKS))
    loaded = load(
        preset,
        device=device,
        resize=None,
        stretch=stretch,
        tile=None,
        accept_license=accept_license,
        progress=progress,
    )
    matcher = loaded.matcher.network if isinstance(loaded.matcher, LightGlueMatcher) else None
    return Pretrained(name, loaded.extractor, matcher)


def for_given_features(
    config: DataConfig,
    function: FeatureFunction | None,
    images: Path,
    device: torch.device,
) -> Pretrained:
    """Return given features in place of a pretrained extractor; no matcher was published for them.

    Args:
        config: Files of features and the name of their kind; stretch of the images.
        function: Function image -> features, instead of files.
        images: Folder of the images.
        device: Device of the training.

    Raises:
        InvalidInput: If there are no usable features of the images.
    """
    if function is not None:
        extractor = extractor_from_function(function, images, device, stretch=config.stretch)
    else:
        assert config.features is not None
        extractor = extractor_from_files(config.features, images, device, kind=config.kind)
    return Pretrained(GIVEN, extractor, None)


def load_network(name: str | os.PathLike[str], pretrained: Pretrained) -> LightGlue:
    """Load a copy of the pretrained matcher, or the matcher of a file or folder.

    Raises:
        InvalidInput: If there is no pretrained matcher.
        WeightsError: If a file cannot be read.
    """
    if name != OFFICIAL:
        return open_lightglue(weights_file(name)).weights.network().to(pretrained.extractor.device)
    if pretrained.matcher is None:
        raise InvalidInput(
            f"no pretrained LightGlue for {pretrained.name} features; use --init scratch or a weights file"
        )
    return build({key: tensor.clone() for key, tensor in pretrained.matcher.state_dict().items()})


def weights_identity(name: str | os.PathLike[str]) -> str:
    """Return "official", "scratch", or the digest of a weights file, for the settings of a run."""
    if name in (OFFICIAL, SCRATCH):
        return str(name)
    return f"sha256 {file_digest(resolve(weights_file(name)))[:SHORT_DIGEST_LENGTH]}"


def weights_file(name: str | os.PathLike[str]) -> str | Path:
    """Return the model file of a folder written by `tiepoint train`, or the name itself."""
    model = Path(name) / MODEL
    return model if model.is_file() else os.fspath(name)


def check_descriptor(network: LightGlue, name: str, pretrained: Pretrained) -> None:
    """Raise InvalidInput unless a network accepts the features of the extractor."""
    dim = pretrained.extractor.descriptor_dim
    if not network.shape.token_confidence or network.shape.size_order != "wh":
        raise InvalidInput(
            f"cannot train from {name}: training uses the official network, with token confidence, matchability in scores "
            "and normalization by the longer side; use weights of that form"
        )
    if network.shape.position_dim != pretrained.position_dim:
        raise InvalidInput(
            f"{name} encodes {network.shape.position_dim} values per keypoint, but {pretrained.name} features have "
            f"{pretrained.position_dim} (2: x, y; 4: also scale and orientation); use weights that were trained for them"
        )
    if network.shape.input_dim != dim:
        raise InvalidInput(
            f"{name} expects descriptors of {network.shape.input_dim} dimensions, but {pretrained.name} has {dim}; "
            "use weights that were trained for it"
        )


def random_network(shape: LightGlueShape, seed: int) -> LightGlue:
    """Create a network with PyTorch's default initialization; the global random state and default dtype are unchanged."""
    default_dtype = torch.get_default_dtype()
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        torch.manual_seed(seed)
        torch.set_default_dtype(torch.float32)
        try:
            return LightGlue(shape)
        finally:
            torch.set_default_dtype(default_dtype)


def truncate_layers(network: LightGlue, config: ModelConfig) -> LightGlue:
    """Keep the first layers of a network, with the assignment heads that were trained for them.

    Raises:
        InvalidInput: If the network has fewer layers than requested, or another width or number of heads.
    """
    shape, name = network.shape, config.init
    for field, requested, actual in (
        ("width", config.width, shape.dim),
        ("heads", config.heads, shape.heads),
    ):
        if requested not in (None, actual):
            raise InvalidInput(
                f"cannot change {field} of {name} from {actual} to {requested}; use --init scratch"
            )
    layers = config.layers or shape.layers
    if layers > shape.layers:
        raise InvalidInput(f"{name} has {shape.layers} layers, got layers={layers}; use fewer")
    return network.truncated(layers)
