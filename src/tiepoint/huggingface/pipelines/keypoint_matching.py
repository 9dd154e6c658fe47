"""KeypointMatchingPipeline: image pairs to matches as dicts."""

import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Unpack

import PIL.Image
import torch

from tiepoint.errors import InvalidInput
from tiepoint.huggingface.configuration.model_config import as_dtype
from tiepoint.huggingface.hub import PushOptions, push_folder
from tiepoint.huggingface.image_processing.base import BaseImageProcessor
from tiepoint.huggingface.image_processing.batch_feature import BatchFeature
from tiepoint.huggingface.image_processing.inputs import describe_images, read_source
from tiepoint.huggingface.models.lightglue import LightGlueForKeypointMatching
from tiepoint.huggingface.options import EmptyInput, reject_unknown, warn, warn_without_effect
from tiepoint.huggingface.pipelines.read_ahead import read_ahead
from tiepoint.image import Image
from tiepoint.io.batching import batched
from tiepoint.io.progress import ProgressCallback, no_progress, progress_bar, track
from tiepoint.io.validation import check_integer
from tiepoint.models.device import choose_device

TASK = "keypoint-matching"

MIN_PAIRS_FOR_PROGRESS = 10
"""Minimum number of pairs for which a progress bar is shown, on a terminal."""

Match = dict[str, Any]
"""`{"keypoint_image_0": {"x", "y"}, "keypoint_image_1": {"x", "y"}, "score"}`."""

NOT_PAIRS = "Input images must be a one of the following : - A pair of images. - A list of pairs of images."
"""Error message of transformers, word for word."""

WITHOUT_EFFECT = ("tokenizer", "video_processor", "processor", "binary_output", "args_parser")
"""Options of transformers' pipelines for other tasks."""


class KeypointMatchingPipeline:
    """Keypoint matching of image pairs.

    Args:
        model: Model loaded by `AutoModelForKeypointMatching.from_pretrained`.
        image_processor: Image processor loaded by `AutoImageProcessor.from_pretrained`.
        feature_extractor: Image processor, by its old name.
        task: Task, "keypoint-matching".
        device: Device that the model is moved to; an integer is the index of a GPU, -1 the CPU. None means the first
            GPU, if there is one and the model is on the CPU.
        dtype: Floating-point type that the model is converted to; None and "auto" keep that of the model.
        torch_dtype: Old name of dtype.
        batch_size: Number of pairs per batch; None means 1.
        num_workers: Number of threads that read images ahead; None and 0 read them when they are needed.
        threshold: Minimum match score (exclusive).
        timeout: Timeout per URL in seconds; None means 10.
        **without_effect: Options that transformers accepts and that have no effect: tokenizer, video_processor,
            processor, binary_output, args_parser.

    Raises:
        InvalidInput: If there is no image processor, or a value is invalid; an InvalidArgument, also a TypeError, if an
            option is unknown.
    """

    def __init__(
        self,
        model: LightGlueForKeypointMatching,
        image_processor: BaseImageProcessor | None = None,
        *,
        feature_extractor: BaseImageProcessor | None = None,
        task: str = TASK,
        device: str | int | torch.device | None = None,
        dtype: str | torch.dtype | None = None,
        torch_dtype: str | torch.dtype | None = None,
        batch_size: int | None = None,
        num_workers: int | None = None,
        threshold: float = 0.0,
        timeout: float | None = None,
        **without_effect: Any,
    ) -> None:
        reject_unknown("KeypointMatchingPipeline", without_effect, WITHOUT_EFFECT)
        warn_without_effect("KeypointMatchingPipeline", without_effect, WITHOUT_EFFECT)
        check_task(task)
        processor = feature_extractor if image_processor is None else image_processor
        if processor is None:
            raise InvalidInput(
                "a model object requires its image processor: pipeline(model=model, image_processor=processor)"
            )
        self.task = task
        self.model = model.eval().to(_default_device(model) if device is None else resolve_device(device))
        if (chosen := dtype or torch_dtype) not in (None, "auto"):
            self.model.to(as_dtype(chosen))
        self.image_processor = processor
        self.feature_extractor = feature_extractor
        self.batch_size = check_integer("batch_size", 1 if batch_size is None else batch_size, 1)
        self.num_workers = check_integer("num_workers", num_workers or 0, 0)
        self.threshold = threshold
        self.timeout = timeout

    def __call__(
        self,
        inputs: Any,
        threshold: float | None = None,
        *,
        timeout: float | None = None,
        batch_size: int | None = None,
        num_workers: int | None = None,
    ) -> Any:
        """Match an image pair, or each pair of a list.

        Args:
            inputs: Pair of PIL images, paths, URLs or base64 texts; list of pairs; or generator of pairs.
            threshold: Minimum match score (exclusive); None means that of the pipeline.
            timeout: Timeout per URL in seconds; None means that of the pipeline.
            batch_size: Number of pairs per batch; None means that of the pipeline.
            num_workers: Number of threads that read images ahead; None means that of the pipeline.

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
        workers = check_integer("num_workers", self.num_workers if num_workers is None else num_workers, 0)
        threshold = self.threshold if threshold is None else threshold
        timeout = self.timeout if timeout is None else timeout

        def match(pairs: Iterable[Any]) -> Iterator[list[Match]]:
            images = read_ahead(pairs, lambda pair: read_pair(pair, timeout), workers)
            return self._stream(images, threshold, size)

        if isinstance(inputs, Iterator):
            return match(inputs)
        pairs = as_pairs(inputs)
        results = match(pairs)
        matches = list(track(results, "pairs", _choose_progress(len(pairs)), total=len(pairs)))
        return matches[0] if len(pairs) == 1 else matches

    def predict(self, X: Any) -> Any:  # noqa: N803 (scikit-learn's name)
        """Same as a call, for scikit-learn."""
        return self(X)

    def transform(self, X: Any) -> Any:  # noqa: N803 (scikit-learn's name)
        """Same as a call, for scikit-learn."""
        return self(X)

    def preprocess(self, images: Any, timeout: float | None = None) -> dict[str, Any]:
        """Read an image pair and return the inputs of the model: the first step of a call."""
        return self._preprocess([read_pair(images, timeout)])

    @torch.inference_mode()
    def forward(self, model_inputs: dict[str, Any]) -> dict[str, Any]:
        """Run the model on the result of `preprocess`: the second step of a call."""
        inputs = BatchFeature(dict(model_inputs["model_inputs"])).to(self.device)
        return {"model_outputs": self.model(**inputs), "target_sizes": model_inputs["target_sizes"]}

    def postprocess(self, forward_outputs: dict[str, Any], threshold: float = 0.0) -> list[Match]:
        """Return the matches of the image pair in the result of `forward`: the last step of a call."""
        (matches,) = self._postprocess(forward_outputs, threshold)
        return matches

    def save_pretrained(self, save_directory: str | os.PathLike[str], **kwargs: Any) -> None:
        """Write model and image processor into a folder, from which `pipeline(model=folder)` loads them.

        Args:
            save_directory: Folder, which is created if necessary.
            **kwargs: Options of the model's `save_pretrained`.

        Raises:
            InvalidInput: If a file cannot be written, or an option is unknown.
        """
        self.image_processor.save_pretrained(save_directory)
        self.model.save_pretrained(save_directory, **kwargs)  # with push_to_hub=True it uploads the folder

    def push_to_hub(self, repo_id: str, **options: Unpack[PushOptions]) -> str:
        """Upload model and image processor; options and errors as for `tiepoint.huggingface.hub.push_folder`."""
        with tempfile.TemporaryDirectory() as folder:
            self.save_pretrained(folder)
            return push_folder(folder, repo_id, **options)

    def device_placement(self) -> AbstractContextManager[Any]:
        """Return a context in which the default GPU is that of the model."""
        return torch.cuda.device(self.device) if self.device.type == "cuda" else nullcontext()

    @property
    def device(self) -> torch.device:
        """Device of the model."""
        return self.model.device

    @property
    def dtype(self) -> torch.dtype:
        """Floating-point type of the model."""
        return self.model.dtype

    @property
    def torch_dtype(self) -> torch.dtype:
        """Floating-point type of the model, by its old name."""
        return self.model.dtype

    def __repr__(self) -> str:
        dtype = str(self.dtype).removeprefix("torch.")
        return f"{type(self).__name__}: {type(self.model).__name__}, {dtype}, {self.device}"

    def _stream(
        self, pairs: Iterable[list[Image]], threshold: float, batch_size: int
    ) -> Iterator[list[Match]]:
        for batch in batched(pairs, batch_size):
            yield from self._postprocess(self.forward(self._preprocess(batch)), threshold)

    def _preprocess(self, pairs: list[list[Image]]) -> dict[str, Any]:
        sizes = [[image.image_size[::-1] for image in pair] for pair in pairs]
        return {"model_inputs": self.image_processor(pairs, return_tensors="pt"), "target_sizes": sizes}

    def _postprocess(self, outputs: dict[str, Any], threshold: float) -> list[list[Match]]:
        matches = self.image_processor.post_process_keypoint_matching(
            outputs["model_outputs"], outputs["target_sizes"], threshold=threshold
        )
        return [_to_dicts(pair_matches) for pair_matches in matches]


def check_task(task: str) -> None:
    """Raise UnknownTask if a task is not supported."""
    if task != TASK:
        raise UnknownTask(f"unknown task {task!r}; available: {TASK}")


class UnknownTask(InvalidInput, KeyError):
    """The task is not supported; also a KeyError, which is what transformers raises."""

    __str__ = Exception.__str__  # that of KeyError adds quotes


def resolve_device(device: str | int | torch.device) -> torch.device:
    """Return a device; an integer is the index of a GPU, or the CPU if it is negative or there is no GPU.

    Raises:
        InvalidInput: If the device is not available.
    """
    if isinstance(device, int):
        if device >= 0 and not torch.cuda.is_available():
            warn(f"there is no GPU {device}; the pipeline runs on the CPU")
        device = f"cuda:{device}" if device >= 0 and torch.cuda.is_available() else "cpu"
    return choose_device(device)


def _default_device(model: LightGlueForKeypointMatching) -> torch.device:
    return choose_device("auto") if model.device.type == "cpu" else model.device


def as_pairs(inputs: Any) -> list[Any]:
    """Return an image pair, or a list of pairs, as a list of pairs.

    Raises:
        InvalidInput: If the inputs are neither.
    """
    if not isinstance(inputs, Sequence) or isinstance(inputs, str):
        raise InvalidInput(f"{NOT_PAIRS} Got {describe_images(inputs)}")
    if len(inputs) == 0:
        raise EmptyInput(f"{NOT_PAIRS} Got an empty {type(inputs).__name__}")
    if len(inputs) == 2 and all(_is_image(image) for image in inputs):
        return [inputs]
    return [check_pair(pair) for pair in inputs]


def check_pair(pair: Any) -> Any:
    """Return an image pair unchanged.

    Raises:
        InvalidInput: If it is not an image pair.
    """
    is_sequence = isinstance(pair, Sequence) and not isinstance(pair, str)
    if not is_sequence or len(pair) != 2 or not all(_is_image(image) for image in pair):
        raise InvalidInput(f"{NOT_PAIRS} Got {describe_images(pair)} as a pair")
    return pair


def read_pair(pair: Any, timeout: float | None = None) -> list[Image]:
    """Read both images of a pair, upright; errors as for `check_pair` and `read_source`."""
    return [read_source(image, timeout) for image in check_pair(pair)]


def _is_image(value: Any) -> bool:
    return isinstance(value, PIL.Image.Image | str | os.PathLike)


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
