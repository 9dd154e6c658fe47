"""LightGlueConfig and the configurations of its detectors, compatible with the config.json of transformers."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from tiepoint.errors import InvalidInput
from tiepoint.huggingface.configuration.model_config import ModelConfig
from tiepoint.io.messages import unknown_name
from tiepoint.models.aliked.network import ALIKED_VARIANTS
from tiepoint.models.disk import DISKConfig
from tiepoint.models.lightglue.network import LightGlueShape
from tiepoint.models.xfeat import DESCRIPTOR_DIM as XFEAT_DESCRIPTOR_DIM
from tiepoint.presets import PRESETS, Preset, full_name
from tiepoint.weights import WEIGHTS


@dataclass(init=False, eq=False, repr=False)
class SuperPointConfig(ModelConfig):
    """Configuration of SuperPoint, as in transformers.

    Attributes:
        encoder_hidden_sizes: Number of channels of the encoder blocks, two or more; published are four.
        decoder_hidden_size: Number of channels between the encoder and each of the two outputs.
        keypoint_decoder_dim: Number of keypoint logits per cell: 8 x 8 px and "no keypoint".
        descriptor_decoder_dim: Descriptor dimension.
        keypoint_threshold: Minimum detection score (exclusive).
        max_keypoints: Maximum number of keypoints per image, highest scores first; -1 keeps all.
        nms_radius: Radius of non-maximum suppression in px.
        border_removal_distance: Width in px of the border in which keypoints are removed.
        initializer_range: Standard deviation of random weights.
        strict_border: Whether the border is removed on all four sides; False leaves out the right and the bottom
            border, as transformers does, which ignores this key.
    """

    model_type: ClassVar[str] = "superpoint"

    encoder_hidden_sizes: tuple[int, ...] = (64, 64, 128, 128)
    decoder_hidden_size: int = 256
    keypoint_decoder_dim: int = 65
    descriptor_decoder_dim: int = 256
    keypoint_threshold: float = 0.005
    max_keypoints: int = -1
    nms_radius: int = 4
    border_removal_distance: int = 4
    initializer_range: float = 0.02
    strict_border: bool = True


@dataclass(init=False, eq=False, repr=False)
class ALIKEDDetectorConfig(ModelConfig):
    """Configuration of ALIKED as the detector of LightGlue; not supported by transformers.

    Attributes:
        variant: Key of `tiepoint.models.aliked.network.ALIKED_VARIANTS`.
        keypoint_threshold: Minimum detection score (exclusive).
        max_keypoints: Maximum number of keypoints per image, highest scores first; -1 keeps all.
    """

    model_type: ClassVar[str] = "aliked"

    variant: str = "n16"
    keypoint_threshold: float = 0.0
    max_keypoints: int = 2048

    def convert(self, name: str, value: Any) -> Any:
        """Convert a value to the type of a field; the variant must be a published one."""
        if name == "variant" and value not in ALIKED_VARIANTS:
            raise InvalidInput(unknown_name("ALIKED variant", value, ALIKED_VARIANTS))
        return super().convert(name, value)

    @property
    def descriptor_decoder_dim(self) -> int:
        """Descriptor dimension."""
        return ALIKED_VARIANTS[self.variant].dim


@dataclass(init=False, eq=False, repr=False)
class DISKDetectorConfig(ModelConfig):
    """Configuration of DISK as the detector of LightGlue; not supported by transformers.

    Attributes:
        keypoint_threshold: Minimum detection score (exclusive).
        max_keypoints: Maximum number of keypoints per image, highest scores first; -1 keeps all.
    """

    model_type: ClassVar[str] = "disk"

    keypoint_threshold: float = 0.0
    max_keypoints: int = 2048

    @property
    def descriptor_decoder_dim(self) -> int:
        """Descriptor dimension."""
        return DISKConfig().dim


@dataclass(init=False, eq=False, repr=False)
class XFeatDetectorConfig(ModelConfig):
    """Configuration of XFeat as the detector of LightGlue; not supported by transformers.

    Attributes:
        keypoint_threshold: Minimum detection score (exclusive).
        max_keypoints: Maximum number of keypoints per image, highest scores first; -1 keeps all.
    """

    model_type: ClassVar[str] = "xfeat"

    keypoint_threshold: float = 0.0
    max_keypoints: int = 2048

    @property
    def descriptor_decoder_dim(self) -> int:
        """Descriptor dimension."""
        return XFEAT_DESCRIPTOR_DIM


DetectorConfig = SuperPointConfig | ALIKEDDetectorConfig | DISKDetectorConfig | XFeatDetectorConfig

DETECTOR_CONFIGS: dict[str, type[DetectorConfig]] = {
    "superpoint": SuperPointConfig,
    "aliked": ALIKEDDetectorConfig,
    "disk": DISKDetectorConfig,
    "xfeat": XFeatDetectorConfig,
}
"""`model_type` of a detector -> its configuration class."""


@dataclass(init=False, eq=False, repr=False)
class LightGlueConfig(ModelConfig):
    """Configuration of LightGlue and its detector, as in transformers.

    Attributes:
        keypoint_detector_config: Configuration of the detector; a dict is accepted, and None means SuperPoint.
        descriptor_dim: Token dimension of the network.
        num_hidden_layers: Number of layers, each with one self- and one cross-attention block.
        num_attention_heads: Number of attention heads; must divide `descriptor_dim`.
        num_key_value_heads: Number of key/value heads; None means `num_attention_heads`.
        depth_confidence: Early stopping: fraction of confident keypoints at which a pair stops; negative disables it.
        width_confidence: Keypoint pruning: confident keypoints with a matchability of at most
            1 - width_confidence are pruned; negative disables it.
        filter_threshold: Minimum match score (exclusive).
        initializer_range: Standard deviation of random weights.
        hidden_act: Activation of the MLP of each block.
        attention_dropout: Dropout probability of attention weights during training.
        attention_bias: Whether the linear layers of attention have a bias.

    Raises:
        InvalidInput: If `descriptor_dim` is not divisible by the number of heads, a value has the wrong type, or
            the detector is unknown.
    """

    model_type: ClassVar[str] = "lightglue"
    derived: ClassVar[tuple[str, ...]] = ("hidden_size", "intermediate_size")

    keypoint_detector_config: DetectorConfig = field(default_factory=SuperPointConfig)
    descriptor_dim: int = 256
    num_hidden_layers: int = 9
    num_attention_heads: int = 4
    num_key_value_heads: int = None  # type: ignore[assignment]  # None becomes num_attention_heads, set before
    depth_confidence: float = 0.95
    width_confidence: float = 0.99
    filter_threshold: float = 0.1
    initializer_range: float = 0.02
    hidden_act: str = "gelu"
    attention_dropout: float = 0.0
    attention_bias: bool = True

    def convert(self, name: str, value: Any) -> Any:
        """Convert a value to the type of a field; resolve the detector and the number of key/value heads."""
        if name == "keypoint_detector_config":
            return as_detector_config(value)
        if name == "num_key_value_heads" and value is None:
            return self.num_attention_heads
        return super().convert(name, value)

    def validate(self) -> None:
        """Raise InvalidInput if the dimensions are inconsistent; call it after changing them."""
        for name in ("descriptor_dim", "num_hidden_layers", "num_attention_heads"):
            if getattr(self, name) < 1:
                raise InvalidInput(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.descriptor_dim % self.num_attention_heads:
            raise InvalidInput(
                f"descriptor_dim {self.descriptor_dim} is not divisible by num_attention_heads "
                f"{self.num_attention_heads}; change one of them"
            )

    @property
    def hidden_size(self) -> int:
        """Same as `descriptor_dim`."""
        return self.descriptor_dim

    @hidden_size.setter
    def hidden_size(self, value: int) -> None:
        self.descriptor_dim = value

    @property
    def intermediate_size(self) -> int:
        """Hidden dimension of the MLP of each block, 2 x `descriptor_dim`."""
        return 2 * self.descriptor_dim

    @intermediate_size.setter
    def intermediate_size(self, value: int) -> None:
        if value != self.intermediate_size:
            raise InvalidInput(
                f"intermediate_size is 2 x descriptor_dim ({self.intermediate_size}), got {value!r}; set descriptor_dim"
            )

    @classmethod
    def _read(cls, name_or_path: str | os.PathLike[str], hub_options: dict[str, Any]) -> dict[str, Any]:
        """Return the content of a configuration file, or the configuration of a preset as a dict."""
        preset = find_preset(name_or_path)
        return (
            super()._read(name_or_path, hub_options) if preset is None else _preset_config(preset).to_dict()
        )


def as_detector_config(value: Any) -> DetectorConfig:
    """Return a detector's configuration, given as a configuration, as a dict, or as None (SuperPoint).

    Raises:
        InvalidInput: If the value has another type or its model_type is not in DETECTOR_CONFIGS.
    """
    if isinstance(value, DetectorConfig):
        return value
    if hasattr(value, "model_type") and hasattr(value, "to_dict"):  # of transformers
        value = value.to_dict()
    if value is not None and not isinstance(value, dict):
        raise InvalidInput(
            f"keypoint_detector_config must be a dict, a detector's configuration or None, got {type(value).__name__}"
        )
    values = value or {}
    kind = values.get("model_type", SuperPointConfig.model_type)
    if not isinstance(kind, str) or kind not in DETECTOR_CONFIGS:
        raise InvalidInput(unknown_name("detector model_type", kind, DETECTOR_CONFIGS))
    return DETECTOR_CONFIGS[kind].from_dict(values)


def lightglue_shape(config: LightGlueConfig) -> LightGlueShape:
    """Return the shape of the LightGlue network of a configuration.

    Raises:
        InvalidInput: If LightGlue does not support the number of key/value heads, the bias or the activation.
    """
    unsupported = {
        "num_key_value_heads": config.num_key_value_heads != config.num_attention_heads,
        "attention_bias": not config.attention_bias,
        "hidden_act": config.hidden_act != "gelu",
    }
    for name in (name for name, is_unsupported in unsupported.items() if is_unsupported):
        raise InvalidInput(
            f"LightGlue does not support {name}={getattr(config, name)!r}; it requires as many key/value heads as "
            "attention heads and biases in attention (stored weights are expanded by from_pretrained), and GELU"
        )
    return LightGlueShape(
        input_dim=config.keypoint_detector_config.descriptor_decoder_dim,
        dim=config.descriptor_dim,
        layers=config.num_hidden_layers,
        heads=config.num_attention_heads,
    )


def find_preset(name: str | os.PathLike[str] | None) -> Preset | None:
    """Return the preset of a name or short name; a local folder of the same name takes precedence."""
    return None if name is None or Path(name).is_dir() else PRESETS.get(str(full_name(name)))


def _preset_config(preset: Preset) -> LightGlueConfig:
    """Return the configuration of a preset; the shape of LightGlue is in the table of weights."""
    detector = _preset_detector(preset)
    assert preset.matcher_weights is not None
    _, dim, layers, heads = map(int, WEIGHTS[preset.matcher_weights].shape.split("/"))
    return LightGlueConfig(
        keypoint_detector_config=detector,
        descriptor_dim=dim,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        depth_confidence=preset.depth_confidence,
        width_confidence=preset.width_confidence,
    )


PRESET_DETECTORS: dict[str, Callable[[str], DetectorConfig]] = {
    "aliked": lambda variant: ALIKEDDetectorConfig(variant=variant),
    "disk": lambda variant: DISKDetectorConfig(),
    "xfeat": lambda variant: XFeatDetectorConfig(),
}
"""Detectors whose weights come with a preset: family of the extractor -> function from its variant to a configuration."""


def _preset_detector(preset: Preset) -> DetectorConfig:
    family, _, variant = preset.extractor.partition("-")
    if preset.matcher != "lightglue" or family not in PRESET_DETECTORS:
        available = [
            name
            for name, row in PRESETS.items()
            if row.matcher == "lightglue" and row.extractor.partition("-")[0] in PRESET_DETECTORS
        ]
        raise InvalidInput(
            f"this preset has no LightGlue model (extractor {preset.extractor!r}, matcher {preset.matcher!r}); "
            f"available: {', '.join(available)}"
        )
    return PRESET_DETECTORS[family](variant)
