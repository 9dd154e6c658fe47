"""Cases: tiepoint's Hugging Face interface against transformers: SuperPoint and LightGlue, model and pipeline.

Both use the same full-size random weights and the same images resized to 480 x 640, and find equal numbers of keypoints.
Random networks never stop early, so both run all layers.
"""

from collections.abc import Iterator

import PIL.Image
import torch
import transformers

from benchmarks.images import Files
from benchmarks.timing import Case
from tiepoint.huggingface import (
    KeypointMatchingPipeline,
    LightGlueConfig,
    LightGlueForKeypointMatching,
    LightGlueImageProcessorFast,
    to_transformers,
)

KEYPOINTS, QUICK_KEYPOINTS = (512, 1024, 2048), (128,)
BATCH_SIZES, QUICK_BATCH_SIZES = (1, 8), (1, 2)

ImagePair = list[PIL.Image.Image]


def cases(files: dict[str, Files], *, quick: bool) -> Iterator[Case]:
    """Yield model and pipeline for each number of keypoints and batch size."""
    transformers.logging.set_verbosity_error()
    images = [PIL.Image.open(path).convert("RGB") for path in files["easy"]]
    for count in QUICK_KEYPOINTS if quick else KEYPOINTS:
        yield from keypoint_cases(random_model(count), images, QUICK_BATCH_SIZES if quick else BATCH_SIZES)


def keypoint_cases(
    ours: LightGlueForKeypointMatching, images: ImagePair, batch_sizes: tuple[int, ...]
) -> Iterator[Case]:
    """Yield the cases of one number of keypoints."""
    theirs = to_transformers(ours)
    count = ours.config.keypoint_detector_config.max_keypoints
    pixels = LightGlueImageProcessorFast()(images, return_tensors="pt")["pixel_values"]
    our_pipeline = KeypointMatchingPipeline(ours, LightGlueImageProcessorFast())
    their_pipeline = transformers.pipeline(
        "keypoint-matching", model=theirs, image_processor=transformers.LightGlueImageProcessor()
    )
    for size in batch_sizes:
        batch, pairs = pixels.expand(size, -1, -1, -1, -1), [images] * size
        name = f"{count} keypoints, {size} pair{'s' if size > 1 else ''} of 480 x 640"
        facts = {"keypoints": count, "pairs": size}
        yield Case(
            "Hugging Face",
            f"model, {name}",
            {
                library: lambda model=model, batch=batch: count_keypoints(model(batch))
                for library, model in {"tiepoint": ours, "transformers": theirs}.items()
            },
            facts,
        )
        yield Case(
            "Hugging Face",
            f"pipeline, {name}",
            {
                "tiepoint": lambda pairs=pairs, size=size: len(our_pipeline(pairs, batch_size=size)),
                "transformers": lambda pairs=pairs: len(their_pipeline(pairs)),  # batch_size is a TypeError
            },
            facts,
        )


def random_model(max_keypoints: int) -> LightGlueForKeypointMatching:
    """Return a full-size model whose detector always returns the maximum number of keypoints."""
    torch.manual_seed(0)
    detector = {"max_keypoints": max_keypoints, "keypoint_threshold": 0.0, "strict_border": False}
    model = LightGlueForKeypointMatching(LightGlueConfig(keypoint_detector_config=detector))
    for layer in model.keypoint_detector.modules():
        if isinstance(layer, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(layer.weight)
    return model


def count_keypoints(output: object) -> int:
    """Return the number of keypoints that ran through all layers; none is pruned."""
    assert len(output.prune.unique()) == 1
    return int(output.mask.sum())
