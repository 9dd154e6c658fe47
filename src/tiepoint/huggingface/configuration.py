"""LightGlueConfig and the configurations of the detectors inside: transformers' config.json, read and written."""

from dataclasses import dataclass, field
from typing import Any, ClassVar

from tiepoint.errors import InvalidInput
from tiepoint.huggingface.config_base import Settings
from tiepoint.models.aliked.network import ALIKED_VARIANTS
from tiepoint.models.disk import DISKConfig


class ModelConfig(Settings):
    """A config.json; `model_type` says of which model."""

    filename: ClassVar[str] = "config.json"
    type_key: ClassVar[str] = "model_type"
    model_type: ClassVar[str]

    def __init_subclass__(cls) -> None:
        cls.type_names = (cls.model_type,)


@dataclass(init=False, eq=False, repr=False)
class SuperPointConfig(ModelConfig):
    """SuperPoint, as transformers describes it.

    Attributes:
        encoder_hidden_sizes: channels of the four levels.
        decoder_hidden_size: channels between the encoder and each of the two outputs.
        keypoint_decoder_dim: the 64 pixels of a cell, and "none".
        descriptor_decoder_dim: columns of the descriptors.
        keypoint_threshold: only keypoints that score more than this.
        max_keypoints: the strongest so many; -1: all.
        nms_radius: of the suppression of weaker neighbors, in px.
        border_removal_distance: no keypoints nearer to the border than this, in px.
        initializer_range: standard deviation of random weights.
        strict_border: whether the border is removed on all four sides; False leaves the right and the lower one
            in, as transformers does, which ignores this key.
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
    """ALIKED inside LightGlue; transformers doesn't know it.

    Attributes:
        variant: key of `tiepoint.models.aliked.network.ALIKED_VARIANTS`.
        keypoint_threshold: only keypoints that score more than this.
        max_keypoints: the strongest so many; -1: all.
    """

    model_type: ClassVar[str] = "aliked"

    variant: str = "n16"
    keypoint_threshold: float = 0.0
    max_keypoints: int = 2048

    def convert(self, name: str, value: Any) -> Any:
        """As for all settings; the variant must be one of the published."""
        if name == "variant" and value not in ALIKED_VARIANTS:
            raise InvalidInput(f"variant must be one of {', '.join(ALIKED_VARIANTS)}, but is {value!r}")
        return super().convert(name, value)

    @property
    def descriptor_decoder_dim(self) -> int:
        """Columns of the descriptors."""
        return ALIKED_VARIANTS[self.variant].dim


@dataclass(init=False, eq=False, repr=False)
class DISKDetectorConfig(ModelConfig):
    """DISK inside LightGlue; transformers doesn't know it.

    Attributes:
        keypoint_threshold: only keypoints that score more than this.
        max_keypoints: the strongest so many; -1: all.
    """

    model_type: ClassVar[str] = "disk"

    keypoint_threshold: float = 0.0
    max_keypoints: int = 2048

    @property
    def descriptor_decoder_dim(self) -> int:
        """Columns of the descriptors."""
        return DISKConfig().dim


DetectorConfig = SuperPointConfig | ALIKEDDetectorConfig | DISKDetectorConfig

DETECTOR_CONFIGS: dict[str, type[DetectorConfig]] = {
    "superpoint": SuperPointConfig,
    "aliked": ALIKEDDetectorConfig,
    "disk": DISKDetectorConfig,
}
"""`model_type` of a detector -> its configuration."""


@dataclass(init=False, eq=False, repr=False)
class LightGlueConfig(ModelConfig):
    """LightGlue and the detector inside, as transformers describes them.

    Attributes:
        keypoint_detector_config: set it to a configuration, to its dict, or to None, which means SuperPoint's.
        descriptor_dim: width of the network.
        num_hidden_layers: each of one self and one cross block.
        num_attention_heads: they divide `descriptor_dim`.
        num_key_value_heads: None: as many as attention heads.
        depth_confidence: a pair stops when this share of its keypoints is sure; negative: never.
        width_confidence: keypoints that are sure and can't match are dropped; the higher the fewer; negative: none.
        filter_threshold: a match scores more than this.
        initializer_range: standard deviation of random weights.
        hidden_act: activation between the two linear layers of a block.
        attention_dropout: share of attention that training leaves out.
        attention_bias: whether the attention's linear layers have a bias.

    Raises:
        InvalidInput: the heads don't divide `descriptor_dim`, or a value of another type, or an unknown detector.
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
        """As for all settings; the detector's may come as a dict or None, and None stands for as many heads."""
        if name == "keypoint_detector_config":
            return as_detector_config(value)
        if name == "num_key_value_heads" and value is None:
            return self.num_attention_heads
        return super().convert(name, value)

    def validate(self) -> None:
        """Raise InvalidInput where the sizes don't fit each other; call it after setting some of them."""
        for name in ("descriptor_dim", "num_hidden_layers", "num_attention_heads"):
            if getattr(self, name) < 1:
                raise InvalidInput(f"{name} must be above 0, but is {getattr(self, name)}")
        if self.descriptor_dim % self.num_attention_heads:
            raise InvalidInput(
                f"descriptor_dim {self.descriptor_dim} can't be divided by num_attention_heads "
                f"{self.num_attention_heads}; change one of them"
            )

    @property
    def hidden_size(self) -> int:
        """Another name of `descriptor_dim`."""
        return self.descriptor_dim

    @property
    def intermediate_size(self) -> int:
        """Width between the two linear layers of a block."""
        return 2 * self.descriptor_dim


def as_detector_config(value: Any) -> DetectorConfig:
    """A detector's configuration from itself, from its dict, or from None: SuperPoint's.

    Raises:
        InvalidInput: another type, or a model_type that is not in DETECTOR_CONFIGS.
    """
    if isinstance(value, DetectorConfig):
        return value
    if value is not None and not isinstance(value, dict):
        raise InvalidInput(
            f"keypoint_detector_config must be a dict, a detector's configuration or None, not {type(value).__name__}"
        )
    values = value or {}
    kind = values.get("model_type", SuperPointConfig.model_type)
    if not isinstance(kind, str) or kind not in DETECTOR_CONFIGS:
        raise InvalidInput(
            f"there is no detector {kind!r}; model_type is one of {', '.join(DETECTOR_CONFIGS)}"
        )
    return DETECTOR_CONFIGS[kind].from_dict(values)
