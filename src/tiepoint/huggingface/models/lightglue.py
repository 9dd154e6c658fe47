"""LightGlueForKeypointMatching: image pairs to matches, with the interface of transformers."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tiepoint.errors import InvalidInput
from tiepoint.huggingface.configuration.configs import LightGlueConfig, lightglue_shape
from tiepoint.huggingface.models.checkpoint import StateDict
from tiepoint.huggingface.models.detectors import build_detector, detect, detector_from_hub, detector_to_hub
from tiepoint.huggingface.models.hidden_states import inspect
from tiepoint.huggingface.models.inputs import (
    ImageFeatures,
    ImageShape,
    resolve_pair_shapes,
    split_external_features,
)
from tiepoint.huggingface.models.key_value_heads import expand_projections
from tiepoint.huggingface.models.outputs import LightGlueKeypointMatchingOutput
from tiepoint.huggingface.models.pretrained import PreTrainedModel
from tiepoint.huggingface.options import warn
from tiepoint.matching.batching import choose_limits, split_batches
from tiepoint.models.fusion import FusionCache, fuse_detector
from tiepoint.models.lightglue.assignment import AssignmentTensors, mutual_matches
from tiepoint.models.lightglue.checkpoint import DETECTOR_PREFIX, from_official, shape_of, to_official
from tiepoint.models.lightglue.fused_layers import fuse
from tiepoint.models.lightglue.inference import AdaptiveInference, PairAssignment, match_batch
from tiepoint.models.lightglue.network import LightGlue
from tiepoint.models.tracing import is_exporting

MATCHER_PREFIX = "matcher."
"""Prefix of the parameters of LightGlue."""
EXPORT_PADDING = 2
"""Number of masked keypoints added per image in exported graphs: sizes of 0 and 1 would be special cases."""


class LightGluePreTrainedModel(PreTrainedModel):
    """Base class of models with LightGlue."""

    config_class: ClassVar[type[LightGlueConfig]] = LightGlueConfig
    base_model_prefix: ClassVar[str] = "lightglue"
    config: LightGlueConfig


class LightGlueForKeypointMatching(LightGluePreTrainedModel):
    """Keypoint detector and LightGlue in one model.

    Args:
        config: Shape and thresholds. Weights are random until they are loaded by `from_pretrained`.

    Raises:
        InvalidInput: If LightGlue does not support the configuration.
    """

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.keypoint_detector = build_detector(self.config.keypoint_detector_config)
        self.matcher = LightGlue(lightglue_shape(self.config))
        self._fusion_cache = FusionCache(fuse)
        self._detector_cache = FusionCache(fuse_detector)
        self.init_weights()
        self.eval()

    @property
    def device(self) -> torch.device:
        """Device of the weights."""
        return self.matcher.device

    @property
    def dtype(self) -> torch.dtype:
        """Floating-point type of the computation; keypoints are always float32."""
        return self.matcher.dtype

    def forward(
        self,
        pixel_values: Float[Tensor, "b pair c h w"] | None = None,
        labels: Any = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
        *,
        image_sizes: Any = None,
        keypoints: Float[Tensor, "b 2 n 2"] | None = None,
        descriptors: Float[Tensor, "b 2 n d"] | None = None,
        mask: Tensor | None = None,
    ) -> LightGlueKeypointMatchingOutput | tuple:
        """Detect and match keypoints; batched results are identical to matching each pair on its own.

        Scores carry gradients in training mode (`model.train()`): all layers run then, without adaptive inference.

        Args:
            pixel_values: Image pairs with values in [0, 1], padded at the bottom and the right to a common size.
            labels: Not supported; training has its own entry point.
            output_attentions: Return attention weights; all layers run, without adaptive inference. None uses the
                configuration.
            output_hidden_states: Return hidden states; all layers run, without adaptive inference. None uses the
                configuration.
            return_dict: False returns a tuple; None uses the configuration.
            image_sizes: Sizes (height, width) in px of the images before padding, shape (b, 2, 2); None means no
                padding. Padding is cropped before detection.
            keypoints: External keypoint coordinates (x / width, y / height), as in the output; they replace the
                detection. Then `pixel_values` may be omitted if `image_sizes` are given.
            descriptors: Descriptors of the external keypoints.
            mask: 1 for external keypoints and 0 for padding, shape (b, 2, n); None means no padding.

        Raises:
            InvalidInput: If an input has the wrong shape, labels are given, or descriptors are missing.
        """
        if labels is not None:
            raise InvalidInput(
                "LightGlue is not trainable, no labels should be provided; train with tiepoint.train, or compute a loss "
                "from the scores, which carry gradients in training mode"
            )
        image_shapes = resolve_pair_shapes(pixel_values, image_sizes)
        if keypoints is None and descriptors is None:
            images = self._detect(pixel_values, image_shapes)
        else:
            images = split_external_features(keypoints, descriptors, mask, image_shapes)
        with_states = self._resolve(output_hidden_states, self.config.output_hidden_states)
        with_attentions = self._resolve(output_attentions, self.config.output_attentions)
        if is_exporting() and not (with_states or with_attentions):
            output = self._match_exported(images)
        elif with_states or with_attentions:
            output = self._inspect(images, with_states, with_attentions)
        elif self.training and torch.is_grad_enabled():
            output = self._match_differentiably(images)
        else:
            output = self._match(images)
        return output if self._resolve(return_dict, self.config.return_dict) else output.to_tuple()

    def to_hub_names(self, state_dict: Mapping[str, Tensor]) -> StateDict:
        """Rename the parameters of the model to their names in Hugging Face files."""
        matcher, detector = (_select(state_dict, prefix) for prefix in (MATCHER_PREFIX, DETECTOR_PREFIX))
        detector = detector_to_hub(self.config.keypoint_detector_config, detector)
        return _prefixed(DETECTOR_PREFIX, detector) | from_official(matcher, "huggingface")

    def from_hub_names(self, state_dict: Mapping[str, Tensor]) -> StateDict:
        """Rename tensors from Hugging Face files to the parameters of the model.

        The network separates the projections of queries and keys of cross-attention if they differ.

        Raises:
            WeightsError: If a tensor is missing or unexpected.
        """
        matcher = to_official(state_dict)
        detector = detector_from_hub(
            self.config.keypoint_detector_config, _select(state_dict, DETECTOR_PREFIX)
        )
        self._set_shared_qk(shape_of(matcher).shared_qk)
        return _prefixed(MATCHER_PREFIX, matcher) | _prefixed(DETECTOR_PREFIX, detector)

    @classmethod
    def _adapt(cls, config: LightGlueConfig, state_dict: Mapping[str, Tensor]) -> StateDict:
        """Repeat fewer key/value heads than heads, and add missing biases of attention."""
        return expand_projections(state_dict, config)

    def _detect(self, pixel_values: Tensor | None, image_shapes: list[ImageShape]) -> list[ImageFeatures]:
        if pixel_values is None:
            raise InvalidInput("pass pixel_values, or keypoints and descriptors with image_sizes")
        padded = pixel_values.flatten(0, 1).to(self.device, self.dtype)
        images = [
            image[:, :height, :width] for image, (height, width) in zip(padded, image_shapes, strict=True)
        ]
        is_fused = not (self.training or is_exporting())
        detector = self._detector_cache.fuse(self.keypoint_detector) if is_fused else self.keypoint_detector
        detections = detect(detector, self.config.keypoint_detector_config, images)
        return [
            ImageFeatures(
                detection.keypoints.float() / detection.keypoints.new_tensor([width, height]).float(),
                detection.descriptors,
                (height, width),
            )
            for detection, (height, width) in zip(detections, image_shapes, strict=True)
        ]

    def _match(self, images: list[ImageFeatures]) -> LightGlueKeypointMatchingOutput:
        pairs = list(zip(images[0::2], images[1::2], strict=True))
        sizes = [len(image0.keypoints) + len(image1.keypoints) for image0, image1 in pairs]
        limits = choose_limits("auto", None, self.matcher.shape, self.device)
        results = [
            result for batch in split_batches(sizes, limits) for result in self._match_batch(pairs[batch])
        ]
        assignments = [result.assignment for result in results]
        return self._build_output(
            images,
            matches=[m for a in assignments for m in (a.matches0, a.matches1)],
            scores=[s for a in assignments for s in (a.matching_scores0, a.matching_scores1)],
            prune=[p for result in results for p in (result.prune0, result.prune1)],
        )

    def _match_batch(self, pairs: list[tuple[ImageFeatures, ImageFeatures]]) -> list[PairAssignment]:
        images = [image for pair in pairs for image in pair]
        return match_batch(
            self._fusion_cache.fuse(self.matcher),
            torch.cat([image.normalized_keypoints() for image in images]),
            torch.cat([image.descriptors for image in images]),
            [(len(image0.keypoints), len(image1.keypoints)) for image0, image1 in pairs],
            adaptivity=AdaptiveInference(self.config.depth_confidence, self.config.width_confidence),
            filter_threshold=self.config.filter_threshold,
        )

    def _match_exported(self, images: list[ImageFeatures]) -> LightGlueKeypointMatchingOutput:
        """Run all layers, pair by pair, with numbers of keypoints that a graph leaves open, zero included."""
        assignments: list[AssignmentTensors] = []
        for image0, image1 in zip(images[0::2], images[1::2], strict=True):
            (positions0, descriptors0, mask0), (positions1, descriptors1, mask1) = map(
                _with_padding, (image0, image1)
            )
            log_scores = self.matcher(positions0, descriptors0, positions1, descriptors1, mask0, mask1)
            found = mutual_matches(log_scores, self.config.filter_threshold)
            assignments.append(AssignmentTensors(*(values[0, :-EXPORT_PADDING] for values in found)))
        matches = [rows for found in assignments for rows in (found.matches0, found.matches1)]
        scores = [rows for found in assignments for rows in (found.matching_scores0, found.matching_scores1)]
        prune = [torch.full_like(rows, self.matcher.shape.layers) for rows in matches]
        return self._build_output(images, matches=matches, scores=scores, prune=prune)

    def _inspect(
        self, images: list[ImageFeatures], with_states: bool, with_attentions: bool
    ) -> LightGlueKeypointMatchingOutput:
        """Run all layers without adaptive inference and return their hidden states and attention weights."""
        if self.config.depth_confidence > 0 or self.config.width_confidence > 0:
            warn(
                "hidden states and attentions cover all layers and keypoints: adaptive inference is off in this call; "
                "set depth_confidence and width_confidence to -1 to disable it in the configuration"
            )
        padded = self._pad_features(images)
        inspection = inspect(self.matcher, *padded)
        output = self._assign_all_layers(images, inspection.log_scores)
        output.hidden_states = inspection.hidden_states if with_states else None
        output.attentions = inspection.attentions if with_attentions else None
        return output

    def _match_differentiably(self, images: list[ImageFeatures]) -> LightGlueKeypointMatchingOutput:
        """Run all layers of padded pairs, with gradients."""
        if self.config.attention_dropout:
            raise InvalidInput(
                f"attention_dropout {self.config.attention_dropout} is not supported in training; set it to 0"
            )
        positions, descriptors, mask = self._pad_features(images)
        (positions0, positions1), (descriptors0, descriptors1), (mask0, mask1) = (
            values.unbind(1) for values in (positions, descriptors, mask)
        )
        log_scores = self.matcher(positions0, descriptors0, positions1, descriptors1, mask0, mask1)
        return self._assign_all_layers(images, log_scores)

    def _pad_features(self, images: list[ImageFeatures]) -> tuple[Tensor, Tensor, Tensor]:
        """Return normalized positions, descriptors and mask of all pairs, padded, (b, 2, n, …)."""
        counts = [len(image.keypoints) for image in images]
        mask = _pad([torch.ones(n, dtype=torch.bool, device=self.device) for n in counts], False)
        positions = _pad([image.normalized_keypoints() for image in images], 0.0)
        return positions, _pad([image.descriptors for image in images], 0.0), mask

    def _assign_all_layers(
        self, images: list[ImageFeatures], log_scores: Float[Tensor, "b rows columns"]
    ) -> LightGlueKeypointMatchingOutput:
        """Build the output from the log scores after the last layer."""
        counts = [len(image.keypoints) for image in images]
        assignment = mutual_matches(log_scores, self.config.filter_threshold)
        num_layers = torch.full_like(assignment.matches0, self.matcher.shape.layers)
        return self._build_output(
            images,
            matches=_unpad(assignment.matches0, assignment.matches1, counts),
            scores=_unpad(assignment.matching_scores0, assignment.matching_scores1, counts),
            prune=_unpad(num_layers, num_layers, counts),
        )

    @staticmethod
    def _resolve(option: bool | None, default: bool) -> bool:
        return default if option is None else bool(option)

    def _build_output(
        self,
        images: list[ImageFeatures],
        *,
        matches: list[Tensor],
        scores: list[Tensor],
        prune: list[Tensor],
    ) -> LightGlueKeypointMatchingOutput:
        image_sizes = torch.tensor([image.image_shape for image in images], device=self.device)
        return LightGlueKeypointMatchingOutput(
            matches=_pad(matches, -1),
            matching_scores=_pad(scores, 0.0),
            keypoints=_pad([image.keypoints for image in images], 0.0),
            prune=_pad(prune, 0),
            mask=_pad([torch.ones_like(row) for row in prune], 0),
            image_sizes=image_sizes.view(-1, 2, 2),
        )

    def _set_shared_qk(self, shared_qk: bool) -> None:
        """Give the network one or two projections for queries and keys of cross-attention, without values."""
        shape = self.matcher.shape
        if shape.shared_qk != shared_qk:
            with torch.device(self.device):
                matcher = LightGlue(replace(shape, shared_qk=shared_qk))
            self.matcher = matcher.to(self.dtype).train(self.training)


def _with_padding(image: ImageFeatures) -> tuple[Tensor, Tensor, Tensor]:
    """Return positions, descriptors and mask of one image, with padding, so that no size is 0 or 1."""
    positions, descriptors = (
        nn.functional.pad(rows, (0, 0, 0, EXPORT_PADDING))
        for rows in (image.normalized_keypoints(), image.descriptors)
    )
    mask = nn.functional.pad(torch.ones_like(image.keypoints[:, 0], dtype=torch.bool), (0, EXPORT_PADDING))
    return positions[None], descriptors[None], mask[None]


def _select(state_dict: Mapping[str, Tensor], prefix: str) -> StateDict:
    """Return the tensors with a prefix, without it."""
    return {
        name.removeprefix(prefix): tensor for name, tensor in state_dict.items() if name.startswith(prefix)
    }


def _prefixed(prefix: str, state_dict: Mapping[str, Tensor]) -> StateDict:
    return {prefix + name: tensor for name, tensor in state_dict.items()}


def _pad(rows: list[Tensor], value: float) -> Tensor:
    """Stack rows of different lengths: 2b x (n, ...) -> (b, 2, max n, ...)."""
    return nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=value).unflatten(0, (-1, 2))


def _unpad(values0: Tensor, values1: Tensor, counts: list[int]) -> list[Tensor]:
    """Interleave the rows of both images of the pairs and cut each to its number of keypoints."""
    rows = [row for pair in zip(values0, values1, strict=True) for row in pair]
    return [row[:count] for row, count in zip(rows, counts, strict=True)]
