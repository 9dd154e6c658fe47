"""`pipeline("keypoint-matching")`: two images, or a list of pairs, in; matches as dicts out."""

import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import PIL.Image
import torch

from tiepoint.errors import InvalidInput
from tiepoint.huggingface.image_processing import AutoImageProcessor
from tiepoint.huggingface.modeling import AutoModelForKeypointMatching, LightGlueForKeypointMatching
from tiepoint.image import Image, read_image

TASK = "keypoint-matching"
DEFAULT_MODEL = "aliked+lightglue"
PROGRESS_FROM = 10
"""Pairs from which a progress bar is shown, on a terminal."""

Match = dict[str, Any]

NOT_PAIRS = "Input images must be a one of the following : - A pair of images. - A list of pairs of images."


def pipeline(
    task: str = TASK,
    model: str | os.PathLike[str] | LightGlueForKeypointMatching | None = None,
    *,
    image_processor: Any = None,
    dtype: str | torch.dtype | None = None,
    device: str | int | torch.device | None = None,
    device_map: str | dict[str, Any] | None = None,
    **options: Any,
) -> "KeypointMatchingPipeline":
    """Make the pipeline, as `transformers.pipeline` does.

    Args:
        task: "keypoint-matching".
        model: repository, folder, preset, or a model; None: the preset "aliked+lightglue", which needs no hub.
        image_processor: where it comes from, or a processor; None: from the model's name.
        dtype: as for `LightGlueForKeypointMatching.from_pretrained`.
        device: where the model runs; a number is a GPU, -1 the CPU.
        device_map: likewise, for those who write it so.
        **options: revision, token, cache_dir, local_files_only.

    Raises:
        InvalidInput: another task, a model object without an image processor.
        WeightsError: the model can't be found, fetched or loaded.
    """
    if task != TASK:
        raise InvalidInput(f"tiepoint has the pipeline {TASK!r} only, not {task!r}")
    source = DEFAULT_MODEL if model is None else model
    if isinstance(source, LightGlueForKeypointMatching):
        if image_processor is None:
            raise InvalidInput(
                "a live model needs its processor: pipeline(model=model, image_processor=processor)"
            )
        loaded = source
    else:
        loaded = AutoModelForKeypointMatching.from_pretrained(
            source, dtype=dtype, device_map=device_map, **options
        )
    if device is not None:
        loaded = loaded.to(_device(device))
    if image_processor is None or isinstance(image_processor, str | os.PathLike):
        named: Any = source if image_processor is None else image_processor
        image_processor = AutoImageProcessor.from_pretrained(named, **options)
    return KeypointMatchingPipeline(loaded, image_processor)


class KeypointMatchingPipeline:
    """Match pairs of images.

    Args:
        model: as `AutoModelForKeypointMatching.from_pretrained` gives it.
        image_processor: as `AutoImageProcessor.from_pretrained` gives it.
        batch_size: pairs computed together.
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
        """Match two images, or every pair of a list.

        Args:
            inputs: a pair of PIL images, paths or URLs; a list of pairs; or a generator of pairs.
            threshold: matches score above this.
            timeout: seconds to wait for each URL; None: 10.
            batch_size: pairs computed together.

        Returns:
            For one pair (also a list of one) a list of matches by falling score,
            `{"keypoint_image_0": {"x", "y"}, "keypoint_image_1": {"x", "y"}, "score"}` in px of the images; for more
            pairs a list of such lists; for a generator a generator of such lists.

        Raises:
            InvalidInput: anything else; or an image can't be read.
        """
        if inputs is None:
            raise InvalidInput("Cannot call the keypoint-matching pipeline without an inputs argument!")
        size = self.batch_size if batch_size is None else batch_size
        if isinstance(size, bool) or not isinstance(size, int) or size < 1:
            raise InvalidInput(f"batch_size must be a whole number above 0, but is {size!r}")
        if isinstance(inputs, Iterator):
            return self._stream(inputs, threshold, timeout, size)
        pairs = as_pairs(inputs)
        results = list(_with_progress(self._stream(pairs, threshold, timeout, size), len(pairs)))
        return results[0] if len(pairs) == 1 else results

    def _stream(
        self, pairs: Iterable[Any], threshold: float, timeout: float | None, size: int
    ) -> Iterator[list[Match]]:
        remaining = iter(pairs)
        while batch := list(islice(remaining, size)):
            checked = [as_pair(pair) for pair in batch]
            yield from self._match([[_read(image, timeout) for image in pair] for pair in checked], threshold)

    @torch.inference_mode()
    def _match(self, pairs: list[list[Image]], threshold: float) -> list[list[Match]]:
        inputs = self.image_processor(pairs, return_tensors="pt").to(self.model.device)
        outputs = self.model(**inputs)
        sizes = [[image.image_size[::-1] for image in pair] for pair in pairs]
        found = self.image_processor.post_process_keypoint_matching(outputs, sizes, threshold=threshold)
        return [_as_matches(pair) for pair in found]


def as_pairs(inputs: Any) -> list[Any]:
    """One pair, or a list of pairs, as a list of pairs; raises InvalidInput for anything else."""
    if isinstance(inputs, Sequence) and not isinstance(inputs, str):
        if len(inputs) == 2 and all(_is_image(image) for image in inputs):
            return [inputs]
        return [as_pair(pair) for pair in inputs]
    raise InvalidInput(NOT_PAIRS)


def as_pair(pair: Any) -> Any:
    """The pair itself, if it is one; raises InvalidInput otherwise."""
    sequence = isinstance(pair, Sequence) and not isinstance(pair, str)
    if not sequence or len(pair) != 2 or not all(_is_image(image) for image in pair):
        raise InvalidInput(NOT_PAIRS)
    return pair


def _is_image(value: Any) -> bool:
    return isinstance(value, PIL.Image.Image | str | os.PathLike)


def _read(image: Any, timeout: float | None) -> Image:
    return read_image(image) if timeout is None else read_image(image, timeout=timeout)


def _as_matches(pair: dict[str, torch.Tensor]) -> list[Match]:
    points0, points1 = pair["keypoints0"].tolist(), pair["keypoints1"].tolist()
    matches = [
        {"keypoint_image_0": {"x": x0, "y": y0}, "keypoint_image_1": {"x": x1, "y": y1}, "score": score}
        for (x0, y0), (x1, y1), score in zip(points0, points1, pair["matching_scores"].tolist(), strict=True)
    ]
    return sorted(matches, key=lambda match: match["score"], reverse=True)


def _with_progress(results: Iterator[list[Match]], total: int) -> Iterable[list[Match]]:
    if total < PROGRESS_FROM:
        return results
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    return track(results, description="pairs", total=total, console=console, disable=not console.is_terminal)


def _device(device: str | int | torch.device) -> torch.device:
    if isinstance(device, int):
        return torch.device("cpu" if device < 0 else f"cuda:{device}")
    return torch.device(device)
