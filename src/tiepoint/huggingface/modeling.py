"""LightGlueForKeypointMatching: pairs of images in, matches out, under the names that transformers' users know."""

import os
import tempfile
import warnings
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tiepoint.errors import InvalidInput
from tiepoint.huggingface.checkpoint import Source, load_pretrained, save_checkpoint
from tiepoint.huggingface.configuration import LightGlueConfig
from tiepoint.huggingface.detectors import build_detector, detect
from tiepoint.huggingface.hidden_states import inspect
from tiepoint.huggingface.hub import push_folder
from tiepoint.huggingface.outputs import LightGlueKeypointMatchingOutput
from tiepoint.matching.batching import choose_limits, packs
from tiepoint.models.lightglue.assignment import mutual_matches
from tiepoint.models.lightglue.inference import AdaptiveInference, PairAssignment, match_packed
from tiepoint.models.lightglue.network import LightGlue, LightGlueShape, normalize_keypoints

Size = tuple[int, int]


class ImageKeypoints(NamedTuple):
    """What one image brings to the matcher; `keypoints` are (x / width, y / height)."""

    keypoints: Float[Tensor, "n 2"]
    descriptors: Float[Tensor, "n d"]
    size: Size  # (height, width) in px

    def positions(self) -> Float[Tensor, "n 2"]:
        """The keypoints as the network takes them."""
        width_height = self.keypoints.new_tensor([self.size[1], self.size[0]])
        return normalize_keypoints(self.keypoints * width_height, width_height)


class LightGlueForKeypointMatching(nn.Module):
    """A detector and LightGlue, as one model.

    Args:
        config: sizes and thresholds; the weights are random until `from_pretrained` fills them.

    Raises:
        InvalidInput: a configuration that LightGlue can't have.
    """

    config_class: ClassVar[type[LightGlueConfig]] = LightGlueConfig
    main_input_name: ClassVar[str] = "pixel_values"

    def __init__(self, config: LightGlueConfig) -> None:
        super().__init__()
        self.config = config
        self.keypoint_detector = build_detector(config.keypoint_detector_config)
        self.matcher = LightGlue(shape_of(config))
        self.apply(self._init_weights)
        self.eval()

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self.matcher.posenc.Wr.weight.device

    @property
    def dtype(self) -> torch.dtype:
        """The type in which it computes; keypoints are float32 always."""
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
        """Detect and match; each pair of a batch gives what it gives alone.

        Args:
            pixel_values: pairs of images in [0, 1], padded at the bottom and the right to one size.
            labels: not taken; training has its own entry point.
            output_attentions: also give the attention weights; runs all layers, without adaptivity.
            output_hidden_states: also give the hidden states; likewise.
            return_dict: False gives a tuple.
            image_sizes: (b, 2, 2), (height, width) in px of the images before padding; None: not padded. The
                network sees nothing of the padding.
            keypoints: instead of detecting: (x / width, y / height), as in the output. `pixel_values` may then be
                left out, if `image_sizes` is given.
            descriptors: of these keypoints.
            mask: (b, 2, n), 1 = a real keypoint; None: all are.

        Raises:
            InvalidInput: inputs of another shape; labels; keypoints without descriptors.
        """
        if labels is not None:
            raise InvalidInput(
                "LightGlue is not trainable, no labels should be provided. (This model is for inference; "
                "train the network tiepoint.models.lightglue.network.LightGlue, whose forward is differentiable.)"
            )
        sizes = checked_sizes(pixel_values, image_sizes)
        if keypoints is None and descriptors is None:
            images = self._detect(pixel_values, sizes)
        else:
            images = given_keypoints(keypoints, descriptors, mask, sizes)
        if output_attentions or output_hidden_states:
            output = self._inspect(images, bool(output_hidden_states), bool(output_attentions))
        else:
            output = self._match(images)
        return output.to_tuple() if return_dict is False else output

    @classmethod
    def from_pretrained(
        cls,
        name_or_folder: str | os.PathLike[str],
        *,
        config: LightGlueConfig | None = None,
        dtype: str | torch.dtype | None = None,
        torch_dtype: str | torch.dtype | None = None,
        device_map: str | dict[str, Any] | torch.device | None = None,
        revision: str | None = None,
        token: str | bool | None = None,
        cache_dir: str | os.PathLike[str] | None = None,
        local_files_only: bool = False,
        use_safetensors: bool = True,
        accept_license: bool = False,
        **overrides: Any,
    ) -> "LightGlueForKeypointMatching":
        """Load a model.

        Args:
            name_or_folder: a repository on the hub, a folder, or a preset with LightGlue ("aliked+lightglue").
            config: instead of the model's own.
            dtype: "auto" and None: as stored; "float16", "bfloat16", "float32" or a torch.dtype.
            torch_dtype: the older name of `dtype`.
            device_map: "auto", a device, or {"": device}.
            revision: branch, tag or commit of the repository.
            token: for private repositories.
            cache_dir: None: huggingface_hub's own.
            local_files_only: don't ask the hub.
            use_safetensors: False also takes `pytorch_model.bin`, a pickle, which is read without running code.
            accept_license: consent to a preset's weights that aren't free for commercial use.
            **overrides: settings of the configuration.

        Raises:
            InvalidInput: a configuration of another model; a setting or option that can't be.
            WeightsError: files can't be found or fetched; a tensor is missing, unexpected or of another shape.
        """
        source = Source(
            name_or_folder,
            revision=revision,
            token=token,
            cache_dir=cache_dir,
            local_files_only=local_files_only,
            use_safetensors=use_safetensors,
            accept_license=accept_license,
        )
        return load_pretrained(cls, source, config, overrides, dtype or torch_dtype, device_map)

    def save_pretrained(
        self, folder: str | os.PathLike[str], *, push_to_hub: bool = False, **options: Any
    ) -> None:
        """Write `config.json` and `model.safetensors`; with SuperPoint inside, transformers loads them.

        Args:
            folder: is made where it doesn't exist.
            push_to_hub: upload the folder too; then `repo_id` names the repository (default: the folder's name).
            **options: of `push_to_hub`.

        Raises:
            InvalidInput: the files can't be written.
        """
        save_checkpoint(self, folder)
        if push_to_hub:
            push_folder(folder, options.pop("repo_id", None) or Path(folder).name, **options)

    def push_to_hub(self, repo_id: str, **options: Any) -> str:
        """Upload the model; options and errors as for `tiepoint.huggingface.hub.push_folder`."""
        with tempfile.TemporaryDirectory() as folder:
            self.save_pretrained(folder)
            return push_folder(folder, repo_id, **options)

    def _detect(self, pixel_values: Tensor | None, sizes: list[Size]) -> list[ImageKeypoints]:
        if pixel_values is None:
            raise InvalidInput("pass pixel_values, or keypoints and descriptors with image_sizes")
        padded = pixel_values.flatten(0, 1).to(self.device, self.dtype)
        images = [image[:, :height, :width] for image, (height, width) in zip(padded, sizes, strict=True)]
        found = detect(self.keypoint_detector, self.config.keypoint_detector_config, images)
        return [
            ImageKeypoints(
                d.keypoints.float() / d.keypoints.new_tensor([width, height]).float(),
                d.descriptors,
                (height, width),
            )
            for d, (height, width) in zip(found, sizes, strict=True)
        ]

    def _match(self, images: list[ImageKeypoints]) -> LightGlueKeypointMatchingOutput:
        pairs = list(zip(images[0::2], images[1::2], strict=True))
        sizes = [len(first.keypoints) + len(second.keypoints) for first, second in pairs]
        limits = choose_limits("auto", None, self.matcher.shape, self.device)
        found = [pair for pack in packs(sizes, limits) for pair in self._match_pack(pairs[pack])]
        assignments = [pair.assignment for pair in found]
        return self._output(
            images,
            matches=[m for a in assignments for m in (a.matches0, a.matches1)],
            scores=[s for a in assignments for s in (a.matching_scores0, a.matching_scores1)],
            prune=[p for pair in found for p in (pair.prune0, pair.prune1)],
        )

    def _match_pack(self, pairs: list[tuple[ImageKeypoints, ImageKeypoints]]) -> list[PairAssignment]:
        images = [image for pair in pairs for image in pair]
        return match_packed(
            self.matcher,
            torch.cat([image.positions() for image in images]),
            torch.cat([image.descriptors for image in images]),
            [(len(first.keypoints), len(second.keypoints)) for first, second in pairs],
            adaptivity=AdaptiveInference(self.config.depth_confidence, self.config.width_confidence),
            filter_threshold=self.config.filter_threshold,
        )

    def _inspect(
        self, images: list[ImageKeypoints], states: bool, attentions: bool
    ) -> LightGlueKeypointMatchingOutput:
        if self.config.depth_confidence > 0 or self.config.width_confidence > 0:
            warnings.warn(
                "hidden states and attentions are given for all layers and keypoints: adaptivity is off in this call; "
                "set depth_confidence and width_confidence to -1 to say so in the configuration",
                stacklevel=4,
            )
        mask = _padded(
            [torch.ones(len(i.keypoints), dtype=torch.bool, device=self.device) for i in images], False
        )
        positions = _padded([image.positions() for image in images], 0.0)
        descriptors = _padded([image.descriptors for image in images], 0.0)
        seen = inspect(self.matcher, positions, descriptors, mask)
        found = mutual_matches(seen.log_scores, self.config.filter_threshold)
        layers = torch.full_like(found.matches0, self.matcher.shape.layers)
        counts = [len(image.keypoints) for image in images]

        def unpadded(side0: Tensor, side1: Tensor) -> list[Tensor]:
            rows = [row for pair in zip(side0, side1, strict=True) for row in pair]
            return [row[:count] for row, count in zip(rows, counts, strict=True)]

        output = self._output(
            images,
            matches=unpadded(found.matches0, found.matches1),
            scores=unpadded(found.matching_scores0, found.matching_scores1),
            prune=unpadded(layers, layers),
        )
        output.hidden_states = seen.hidden_states if states else None
        output.attentions = seen.attentions if attentions else None
        return output

    def _output(
        self,
        images: list[ImageKeypoints],
        *,
        matches: list[Tensor],
        scores: list[Tensor],
        prune: list[Tensor],
    ) -> LightGlueKeypointMatchingOutput:
        sizes = torch.tensor([image.size for image in images], device=self.device)
        return LightGlueKeypointMatchingOutput(
            matches=_padded(matches, -1),
            matching_scores=_padded(scores, 0.0),
            keypoints=_padded([image.keypoints for image in images], 0.0),
            prune=_padded(prune, 0),
            mask=_padded([torch.ones_like(part) for part in prune], 0),
            image_sizes=sizes.view(-1, 2, 2),
        )

    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, nn.Linear | nn.Conv2d):
            nn.init.normal_(module.weight, std=self.config.initializer_range)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


class AutoModelForKeypointMatching:
    """Finds the model of a repository, folder or preset; there is one kind, LightGlue."""

    @classmethod
    def from_pretrained(
        cls, name_or_folder: str | os.PathLike[str], **options: Any
    ) -> LightGlueForKeypointMatching:
        """As `LightGlueForKeypointMatching.from_pretrained`."""
        return LightGlueForKeypointMatching.from_pretrained(name_or_folder, **options)

    @classmethod
    def from_config(cls, config: LightGlueConfig) -> LightGlueForKeypointMatching:
        """A model with random weights."""
        return LightGlueForKeypointMatching(config)


def shape_of(config: LightGlueConfig) -> LightGlueShape:
    """The shape of the network that a configuration describes.

    Raises:
        InvalidInput: what LightGlue can't be: fewer key/value heads, no bias in attention, another activation.
    """
    wrong = {
        "num_key_value_heads": config.num_key_value_heads != config.num_attention_heads,
        "attention_bias": not config.attention_bias,
        "hidden_act": config.hidden_act != "gelu",
    }
    for name in (name for name, is_wrong in wrong.items() if is_wrong):
        raise InvalidInput(
            f"{name}={getattr(config, name)!r} is not LightGlue's: it has as many key/value heads as attention heads, "
            "biases in attention, and GELU"
        )
    return LightGlueShape(
        input_dim=config.keypoint_detector_config.descriptor_decoder_dim,
        dim=config.descriptor_dim,
        layers=config.num_hidden_layers,
        heads=config.num_attention_heads,
    )


def checked_sizes(pixel_values: Tensor | None, image_sizes: Any) -> list[Size]:
    """(height, width) of each image before padding, pair by pair, flat.

    Raises:
        InvalidInput: pixel_values aren't 5-D with pairs; image_sizes of another shape, or larger than the images.
    """
    if pixel_values is not None and (pixel_values.ndim != 5 or pixel_values.shape[1] != 2):
        raise InvalidInput(
            "Input must be a 5D tensor of shape (batch_size, 2, num_channels, height, width), "
            f"but came as {tuple(pixel_values.shape)}"
        )
    if image_sizes is None:
        if pixel_values is None:
            raise InvalidInput(
                "pass pixel_values or image_sizes: coordinates are relative to the size of the image"
            )
        return [(int(pixel_values.shape[3]), int(pixel_values.shape[4]))] * (2 * len(pixel_values))
    sizes = torch.as_tensor(image_sizes)
    count = "batch_size" if pixel_values is None else len(pixel_values)
    if sizes.ndim != 3 or sizes.shape[1:] != (2, 2) or (pixel_values is not None and len(sizes) != count):
        raise InvalidInput(
            f"image_sizes must be ({count}, 2, 2), (height, width) an image, but is {tuple(sizes.shape)}"
        )
    listed = [(int(height), int(width)) for height, width in sizes.flatten(0, 1).tolist()]
    limit = pixel_values.shape[3:] if pixel_values is not None else None
    for height, width in listed:
        if min(height, width) < 1 or (limit is not None and (height > limit[0] or width > limit[1])):
            raise InvalidInput(
                f"image_sizes hold {(height, width)}, which is not a (height, width) within the images"
            )
    return listed


def given_keypoints(
    keypoints: Tensor | None, descriptors: Tensor | None, mask: Tensor | None, sizes: list[Size]
) -> list[ImageKeypoints]:
    """External keypoints and descriptors, without their padding.

    Raises:
        InvalidInput: one without the other, or shapes that don't fit.
    """
    if keypoints is None or descriptors is None:
        raise InvalidInput("keypoints and descriptors go together; pass both, or neither and pixel_values")
    shape = (len(sizes) // 2, 2, keypoints.shape[2])
    mask = torch.ones(shape, dtype=torch.bool, device=keypoints.device) if mask is None else mask.bool()
    if keypoints.shape != (*shape, 2) or descriptors.shape[:3] != shape or mask.shape != shape:
        raise InvalidInput(
            f"keypoints must be (b, 2, n, 2), descriptors (b, 2, n, d) and mask (b, 2, n) for b = {shape[0]} pairs, but are "
            f"{tuple(keypoints.shape)}, {tuple(descriptors.shape)} and {tuple(mask.shape)}"
        )
    parts = zip(keypoints.flatten(0, 1), descriptors.flatten(0, 1), mask.flatten(0, 1), sizes, strict=True)
    return [
        ImageKeypoints(points[real].float(), vectors[real], size) for points, vectors, real, size in parts
    ]


def _padded(rows: list[Tensor], value: float) -> Tensor:
    """Stack rows of different lengths as (b, 2, n, …)."""
    return nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=value).unflatten(0, (-1, 2))
