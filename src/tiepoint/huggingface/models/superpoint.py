"""SuperPointForKeypointDetection: images to keypoints and descriptors, with the interface of transformers."""

from collections.abc import Mapping
from typing import Any, ClassVar, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tiepoint.errors import InvalidInput
from tiepoint.huggingface.configuration.configs import SuperPointConfig
from tiepoint.huggingface.models.checkpoint import StateDict
from tiepoint.huggingface.models.detectors import build_detector, detect, detector_from_hub, detector_to_hub
from tiepoint.huggingface.models.inputs import resolve_image_shapes
from tiepoint.huggingface.models.outputs import SuperPointKeypointDescriptionOutput
from tiepoint.huggingface.models.pretrained import PreTrainedModel
from tiepoint.models.keypoints import Detection
from tiepoint.models.superpoint.network import SuperPoint, to_gray

PREFIX = "detector."
"""Prefix of the parameters of the network."""


class SuperPointPreTrainedModel(PreTrainedModel):
    """Base class of models with SuperPoint."""

    config_class: ClassVar[type[SuperPointConfig]] = SuperPointConfig
    base_model_prefix: ClassVar[str] = "superpoint"
    config: SuperPointConfig


class SuperPointForKeypointDetection(SuperPointPreTrainedModel):
    """SuperPoint, with keypoints sorted by descending score.

    Args:
        config: Shape and thresholds. Weights are random until they are loaded by `from_pretrained`.

    Raises:
        InvalidInput: If SuperPoint does not support the configuration.
    """

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.detector = cast(SuperPoint, build_detector(self.config))
        self.init_weights()
        self.eval()

    def forward(
        self,
        pixel_values: Float[Tensor, "b c h w"],
        labels: Any = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
        *,
        image_sizes: Any = None,
    ) -> SuperPointKeypointDescriptionOutput | tuple[Any, ...]:
        """Detect and describe keypoints; batched results are identical to those of each image on its own.

        Args:
            pixel_values: Images with values in [0, 1] and 1 or 3 channels, padded at the bottom and the right to a
                common size; color is converted to gray.
            labels: Not supported.
            output_hidden_states: Return the outputs of the encoder's levels, padding included. None uses the
                configuration.
            return_dict: False returns a tuple; None uses the configuration.
            image_sizes: Sizes (height, width) in px of the images before padding, shape (b, 2); None means no padding.
                Padding is cropped before detection.

        Raises:
            InvalidInput: If an input has the wrong shape, or labels are given.
        """
        if labels is not None:
            raise InvalidInput("SuperPoint does not support training for now; omit labels")
        image_shapes = resolve_image_shapes(pixel_values, image_sizes)
        pixels = pixel_values.to(self.device, self.dtype)
        images = [
            image[:, :height, :width] for image, (height, width) in zip(pixels, image_shapes, strict=True)
        ]
        output = _build_output(detect(self.detector, self.config, images), image_shapes)
        if self.config.output_hidden_states if output_hidden_states is None else output_hidden_states:
            output.hidden_states = tuple(self.detector.encoder_levels(to_gray(pixels)))
        return (
            output if (self.config.return_dict if return_dict is None else return_dict) else output.to_tuple()
        )

    def to_hub_names(self, state_dict: Mapping[str, Tensor]) -> StateDict:
        """Rename the parameters of the model to their names in Hugging Face files."""
        return detector_to_hub(
            self.config, {name.removeprefix(PREFIX): tensor for name, tensor in state_dict.items()}
        )

    def from_hub_names(self, state_dict: Mapping[str, Tensor]) -> StateDict:
        """Rename tensors from Hugging Face files to the parameters of the model.

        Raises:
            WeightsError: If a tensor is missing or unexpected.
        """
        return {PREFIX + name: tensor for name, tensor in detector_from_hub(self.config, state_dict).items()}


def _build_output(
    detections: list[Detection], image_shapes: list[tuple[int, int]]
) -> SuperPointKeypointDescriptionOutput:
    """Stack the keypoints of all images, padded with zeros; coordinates become relative to the image."""
    sizes = torch.tensor(image_shapes, device=detections[0].keypoints.device)
    return SuperPointKeypointDescriptionOutput(
        keypoints=_pad(
            [found.keypoints.float() / size.flip(0) for found, size in zip(detections, sizes, strict=True)]
        ),
        scores=_pad([found.scores for found in detections]),
        descriptors=_pad([found.descriptors for found in detections]),
        mask=_pad([torch.ones_like(found.scores, dtype=torch.int) for found in detections]),
        image_sizes=sizes,
    )


def _pad(rows: list[Tensor]) -> Tensor:
    """Stack rows of different lengths, b x (n, ...) -> (b, max n, ...)."""
    return nn.utils.rnn.pad_sequence(rows, batch_first=True)
