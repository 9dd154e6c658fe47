"""LightGlueForKeypointMatching: image pairs to matches, with the interface of transformers."""

import os
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Unpack

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tiepoint.errors import InvalidInput
from tiepoint.huggingface.checkpoint import (
    CheckpointSource,
    DeviceMap,
    LoadingOptions,
    join_state_dict,
    read_checkpoint,
    resolve_device_map,
    resolve_dtype,
    split_state_dict,
    write_checkpoint,
)
from tiepoint.huggingface.configuration import LightGlueConfig, lightglue_shape
from tiepoint.huggingface.detectors import StateDict, build_detector, detect
from tiepoint.huggingface.hidden_states import inspect
from tiepoint.huggingface.hub import HubOptions, PushOptions, push_folder
from tiepoint.huggingface.inputs import (
    ImageFeatures,
    ImageShape,
    resolve_image_shapes,
    split_external_features,
)
from tiepoint.huggingface.outputs import LightGlueKeypointMatchingOutput
from tiepoint.matching.batching import choose_limits, split_batches
from tiepoint.models.checkpoint import load_strictly
from tiepoint.models.lightglue.assignment import mutual_matches
from tiepoint.models.lightglue.fused_layers import FusionCache
from tiepoint.models.lightglue.inference import AdaptiveInference, PairAssignment, match_batch
from tiepoint.models.lightglue.network import LightGlue


class LightGlueForKeypointMatching(nn.Module):
    """Keypoint detector and LightGlue in one model.

    Args:
        config: Shape and thresholds. Weights are random until they are loaded by `from_pretrained`.

    Raises:
        InvalidInput: If LightGlue does not support the configuration.
    """

    config_class: ClassVar[type[LightGlueConfig]] = LightGlueConfig
    main_input_name: ClassVar[str] = "pixel_values"

    def __init__(self, config: LightGlueConfig) -> None:
        super().__init__()
        self.config = config
        self.keypoint_detector = build_detector(config.keypoint_detector_config)
        self.matcher = LightGlue(lightglue_shape(config))
        self._fusion_cache = FusionCache()
        self.apply(self._init_weights)
        self.eval()

    @property
    def device(self) -> torch.device:
        """Device of the weights."""
        return self.matcher.posenc.Wr.weight.device

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

        Args:
            pixel_values: Image pairs with values in [0, 1], padded at the bottom and the right to a common size.
            labels: Not supported; training has its own entry point.
            output_attentions: Return attention weights; all layers run, without adaptive inference.
            output_hidden_states: Return hidden states; all layers run, without adaptive inference.
            return_dict: False returns a tuple.
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
                "LightGlue is not trainable, no labels should be provided. (This model is for inference; "
                "train the network tiepoint.models.lightglue.network.LightGlue, whose forward is differentiable.)"
            )
        image_shapes = resolve_image_shapes(pixel_values, image_sizes)
        if keypoints is None and descriptors is None:
            images = self._detect(pixel_values, image_shapes)
        else:
            images = split_external_features(keypoints, descriptors, mask, image_shapes)
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
        device_map: DeviceMap | None = None,
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
            name_or_folder: Repository name "owner/name", local folder, or preset with LightGlue ("aliked+lightglue").
            config: Configuration that replaces the stored one.
            dtype: "float16", "bfloat16", "float32" or a torch.dtype; "auto" and None keep the stored one.
            torch_dtype: Former name of `dtype` in transformers.
            device_map: "auto", a device, or {"": device}; None means the CPU.
            revision: Branch, tag or commit of the repository; None means the main branch.
            token: Access token for private repositories; None uses the token stored by `hf auth login`, False none.
            cache_dir: Cache directory; None uses huggingface_hub's default.
            local_files_only: Use only local files and the cache.
            use_safetensors: False also accepts `pytorch_model.bin`, a pickle, which is read without executing code.
            accept_license: Accept weights of a preset whose license does not allow commercial use.
            **overrides: Settings that override those of the stored configuration.

        Raises:
            InvalidInput: If the configuration is of another model, or a setting or option is invalid.
            WeightsError: If a file is not found or cannot be downloaded, or a tensor is missing, unexpected or has
                the wrong shape.
        """
        hub_options = HubOptions(
            revision=revision, token=token, cache_dir=cache_dir, local_files_only=local_files_only
        )
        source = CheckpointSource(name_or_folder, hub_options, use_safetensors, accept_license)
        checkpoint = read_checkpoint(source, config, overrides)
        with torch.device("meta"):
            model = cls(checkpoint.config)
        load_hub_state_dict(model, checkpoint.state_dict)
        target_dtype = resolve_dtype(dtype or torch_dtype, checkpoint.config)
        model = model if target_dtype is None else model.to(target_dtype)
        return model if device_map is None else model.to(resolve_device_map(device_map))

    def save_pretrained(
        self,
        folder: str | os.PathLike[str],
        *,
        push_to_hub: bool = False,
        repo_id: str | None = None,
        **options: Unpack[PushOptions],
    ) -> None:
        """Write `config.json` and `model.safetensors`, which transformers can load if the detector is SuperPoint.

        Args:
            folder: Folder to write to; it is created if necessary.
            push_to_hub: Upload the folder too.
            repo_id: Repository to upload to; None means the name of the folder.
            **options: Options of `push_to_hub`.

        Raises:
            InvalidInput: If the files cannot be written.
            WeightsError: If the hub cannot be reached or rejects the upload.
        """
        self.config.dtype = str(self.dtype).removeprefix("torch.")
        self.config.architectures = ["LightGlueForKeypointMatching"]
        write_checkpoint(self.config, hub_state_dict(self), folder)
        if push_to_hub:
            push_folder(folder, repo_id or Path(folder).name, **options)

    def push_to_hub(self, repo_id: str, **options: Unpack[PushOptions]) -> str:
        """Upload the model; options and errors as for `tiepoint.huggingface.hub.push_folder`."""
        with tempfile.TemporaryDirectory() as folder:
            self.save_pretrained(folder)
            return push_folder(folder, repo_id, **options)

    def _detect(self, pixel_values: Tensor | None, image_shapes: list[ImageShape]) -> list[ImageFeatures]:
        if pixel_values is None:
            raise InvalidInput("pass pixel_values, or keypoints and descriptors with image_sizes")
        padded = pixel_values.flatten(0, 1).to(self.device, self.dtype)
        images = [
            image[:, :height, :width] for image, (height, width) in zip(padded, image_shapes, strict=True)
        ]
        detections = detect(self.keypoint_detector, self.config.keypoint_detector_config, images)
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

    def _inspect(
        self, images: list[ImageFeatures], with_states: bool, with_attentions: bool
    ) -> LightGlueKeypointMatchingOutput:
        """Run all layers without adaptive inference and return their hidden states and attention weights."""
        if self.config.depth_confidence > 0 or self.config.width_confidence > 0:
            warnings.warn(
                "hidden states and attentions cover all layers and keypoints: adaptive inference is off in this call; "
                "set depth_confidence and width_confidence to -1 to disable it in the configuration",
                stacklevel=4,
            )
        counts = [len(image.keypoints) for image in images]
        mask = _pad([torch.ones(n, dtype=torch.bool, device=self.device) for n in counts], False)
        positions = _pad([image.normalized_keypoints() for image in images], 0.0)
        descriptors = _pad([image.descriptors for image in images], 0.0)
        inspection = inspect(self.matcher, positions, descriptors, mask)
        assignment = mutual_matches(inspection.log_scores, self.config.filter_threshold)
        num_layers = torch.full_like(assignment.matches0, self.matcher.shape.layers)
        output = self._build_output(
            images,
            matches=_unpad(assignment.matches0, assignment.matches1, counts),
            scores=_unpad(assignment.matching_scores0, assignment.matching_scores1, counts),
            prune=_unpad(num_layers, num_layers, counts),
        )
        output.hidden_states = inspection.hidden_states if with_states else None
        output.attentions = inspection.attentions if with_attentions else None
        return output

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

    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, nn.Linear | nn.Conv2d):
            nn.init.normal_(module.weight, std=self.config.initializer_range)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


class AutoModelForKeypointMatching:
    """Loader of keypoint matching models; the only architecture is LightGlue."""

    @classmethod
    def from_pretrained(
        cls, name_or_folder: str | os.PathLike[str], **options: Unpack[LoadingOptions]
    ) -> LightGlueForKeypointMatching:
        """Load a model; options and errors as for `LightGlueForKeypointMatching.from_pretrained`."""
        return LightGlueForKeypointMatching.from_pretrained(name_or_folder, **options)

    @classmethod
    def from_config(cls, config: LightGlueConfig) -> LightGlueForKeypointMatching:
        """Build a model with random weights."""
        return LightGlueForKeypointMatching(config)


def hub_state_dict(model: LightGlueForKeypointMatching) -> StateDict:
    """Return all tensors by their names in Hugging Face files, detached, contiguous and on the CPU."""
    state_dict = join_state_dict(
        model.matcher.state_dict(),
        model.keypoint_detector.state_dict(),
        model.config.keypoint_detector_config,
    )
    return {name: tensor.detach().cpu().contiguous() for name, tensor in state_dict.items()}


def load_hub_state_dict(model: LightGlueForKeypointMatching, state_dict: Mapping[str, Tensor]) -> None:
    """Load tensors by their names in Hugging Face files into a model.

    Raises:
        WeightsError: If a tensor is missing, unexpected or has the wrong shape.
    """
    config = model.config.keypoint_detector_config
    matcher, detector = split_state_dict(state_dict, config)
    load_strictly(model.matcher, matcher, "LightGlue")
    load_strictly(model.keypoint_detector, detector, config.model_type)


def _pad(rows: list[Tensor], value: float) -> Tensor:
    """Stack rows of different lengths: 2b x (n, ...) -> (b, 2, max n, ...)."""
    return nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=value).unflatten(0, (-1, 2))


def _unpad(values0: Tensor, values1: Tensor, counts: list[int]) -> list[Tensor]:
    """Interleave the rows of both images of the pairs and cut each to its number of keypoints."""
    rows = [row for pair in zip(values0, values1, strict=True) for row in pair]
    return [row[:count] for row, count in zip(rows, counts, strict=True)]
