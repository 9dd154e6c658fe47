"""`pipeline("keypoint-matching")`: an image pair, or a list of pairs, to matches as dicts."""

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Unpack

import PIL.Image
import torch

from tiepoint.errors import InvalidInput
from tiepoint.huggingface.checkpoint import DeviceMap
from tiepoint.huggingface.hub import HubOptions
from tiepoint.huggingface.image_processing_auto import AutoImageProcessor
from tiepoint.huggingface.modeling import AutoModelForKeypointMatching, LightGlueForKeypointMatching
from tiepoint.image import Image, read_image
from tiepoint.io.batching import batched
from tiepoint.io.progress import ProgressCallback, no_progress, progress_bar, track
from tiepoint.io.validation import check_integer

TASK = "keypoint-matching"
DEFAULT_MODEL = "aliked+lightglue"

MIN_PAIRS_FOR_PROGRESS = 10
"""Minimum number of pairs for which a progress bar is shown, on a terminal."""

Match = dict[str, Any]
"""`{"keypoint_image_0": {"x", "y"}, "keypoint_image_1": {"x", "y"}, "score"}`."""

NOT_PAIRS = "Input images must be a one of the following : - A pair of images. - A list of pairs of images."
"""Error message of transformers, word for word."""


def pipeline(
    task: str = TASK,
    model: str | os.PathLike[str] | LightGlueForKeypointMatching | None = None,
    *,
    image_processor: Any = None,
    dtype: str | torch.dtype | None = None,
    device: str | int | torch.device | None = None,
    device_map: DeviceMap | None = None,
    **options: Unpack[HubOptions],
) -> "KeypointMatchingPipeline":
    """Create the pipeline, as `transformers.pipeline` does.

    Args:
        task: Task, "keypoint-matching".
        model: Repository name, local folder, preset, or model; None means the preset "aliked+lightglue", which needs
            no hub.
        image_processor: Repository name, local folder, preset, or image processor; None means that of the model.
        dtype: Floating-point type, as for `LightGlueForKeypointMatching.from_pretrained`.
        device: Device of the model; an integer is a GPU index, -1 means the CPU.
        device_map: Device of the model, as for `LightGlueForKeypointMatching.from_pretrained`.
        **options: Options of `HubOptions`.

    Raises:
        InvalidInput: If the task is unknown, or a model object is passed without an image processor.
        WeightsError: If the model is not found, or cannot be downloaded or loaded.
    """
    if task != TASK:
        raise InvalidInput(f"unknown task {task!r}; available: {TASK}")
    source = DEFAULT_MODEL if model is None else model
    if isinstance(source, LightGlueForKeypointMatching):
        if image_processor is None:
            raise InvalidInput(
                "a model object requires its image processor: pipeline(model=model, image_processor=processor)"
            )
        loaded = source
    else:
        loaded = AutoModelForKeypointMatching.from_pretrained(
            source, dtype=dtype, device_map=device_map, **options
        )
    if device is not None:
        loaded = loaded.to(_resolve_device(device))
    if image_processor is None or isinstance(image_processor, str | os.PathLike):
        processor_source: Any = source if image_processor is None else image_processor
        image_processor = AutoImageProcessor.from_pretrained(processor_source, **options)
    return KeypointMatchingPipeline(loaded, image_processor)


class KeypointMatchingPipeline:
    """Keypoint matching of image pairs.

    Args:
        model: Model loaded by `AutoModelForKeypointMatching.from_pretrained`.
        image_processor: Image processor loaded by `AutoImageProcessor.from_pretrained`.
        batch_size: Number of pairs per batch.
    """

    task = TASK

    def __init__(
        self, model: LightGlueForKeypointMatching, image_processor: Any, batch_size: int = 1
    ) -> None:
        self.model = model.eval()
        self.image_processor = image_processor
        self.batch_size = batch_size

    def __call__(
        self,
        inputs: Any,
        threshold: float = 0.0,
        *,
        timeout: float | None = None,
        batch_size: int | None = None,
    ) -> Any:
        """Match an image pair, or each pair of a list.

        Args:
            inputs: Pair of PIL images, paths or URLs; list of pairs; or generator of pairs.
            threshold: Minimum match score (exclusive).
            timeout: Timeout per URL in seconds; None means 10.
            batch_size: Number of pairs per batch; None means that of the pipeline.

        Returns:
            For one pair (or a list of one) the list of matches by descending score,
            `{"keypoint_image_0": {"x", "y"}, "keypoint_image_1": {"x", "y"}, "score"}` in px of the images; for
            several pairs a list of such lists; for a generator a generator of such lists.

        Raises:
            InvalidInput: If the form of the inputs is not accepted or an image cannot be read.
        """
        if inputs is None:
            raise InvalidInput("Cannot call the keypoint-matching pipeline without an inputs argument!")
        size = check_integer("batch_size", self.batch_size if batch_size is None else batch_size, 1)
        if isinstance(inputs, Iterator):
            return self._stream(inputs, threshold, timeout, size)
        pairs = as_pairs(inputs)
        stream = self._stream(pairs, threshold, timeout, size)
        results = list(track(stream, "pairs", _choose_progress(len(pairs)), total=len(pairs)))
        return results[0] if len(pairs) == 1 else results

    def _stream(
        self, pairs: Iterable[Any], threshold: float, timeout: float | None, batch_size: int
    ) -> Iterator[list[Match]]:
        for batch in batched(pairs, batch_size):
            checked = [check_pair(pair) for pair in batch]
            yield from self._match([[_read(image, timeout) for image in pair] for pair in checked], threshold)

    @torch.inference_mode()
    def _match(self, pairs: list[list[Image]], threshold: float) -> list[list[Match]]:
        inputs = self.image_processor(pairs, return_tensors="pt").to(self.model.device)
        outputs = self.model(**inputs)
        sizes = [[image.image_size[::-1] for image in pair] for pair in pairs]
        matches = self.image_processor.post_process_keypoint_matching(outputs, sizes, threshold=threshold)
        return [_to_dicts(pair_matches) for pair_matches in matches]


def as_pairs(inputs: Any) -> list[Any]:
    """Return an image pair, or a list of pairs, as a list of pairs.

    Raises:
        InvalidInput: If the inputs are neither.
    """
    if isinstance(inputs, Sequence) and not isinstance(inputs, str):
        if len(inputs) == 2 and all(_is_image(image) for image in inputs):
            return [inputs]
        return [check_pair(pair) for pair in inputs]
    raise InvalidInput(NOT_PAIRS)


def check_pair(pair: Any) -> Any:
    """Return an image pair unchanged.

    Raises:
        InvalidInput: If it is not an image pair.
    """
    is_sequence = isinstance(pair, Sequence) and not isinstance(pair, str)
    if not is_sequence or len(pair) != 2 or not all(_is_image(image) for image in pair):
        raise InvalidInput(NOT_PAIRS)
    return pair


def _is_image(value: Any) -> bool:
    return isinstance(value, PIL.Image.Image | str | os.PathLike)


def _read(image: Any, timeout: float | None) -> Image:
    return read_image(image) if timeout is None else read_image(image, timeout=timeout)


def _to_dicts(pair: dict[str, torch.Tensor]) -> list[Match]:
    points0, points1 = pair["keypoints0"].tolist(), pair["keypoints1"].tolist()
    matches = [
        {"keypoint_image_0": {"x": x0, "y": y0}, "keypoint_image_1": {"x": x1, "y": y1}, "score": score}
        for (x0, y0), (x1, y1), score in zip(points0, points1, pair["matching_scores"].tolist(), strict=True)
    ]
    return sorted(matches, key=lambda match: match["score"], reverse=True)


def _choose_progress(num_pairs: int) -> ProgressCallback:
    if num_pairs < MIN_PAIRS_FOR_PROGRESS:
        return no_progress
    from rich.console import Console

    return progress_bar if Console(stderr=True).is_terminal else no_progress


def _resolve_device(device: str | int | torch.device) -> torch.device:
    if isinstance(device, int):
        return torch.device("cpu" if device < 0 else f"cuda:{device}")
    return torch.device(device)
