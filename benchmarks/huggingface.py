"""tiepoint's Hugging Face surface beside transformers: SuperPoint and LightGlue, model and pipeline.

Both get the same full-size random weights, the same photographs resized to 480 x 640, and find equally many keypoints.
Random networks never stop early, so both run all layers.
"""

from collections.abc import Iterator

import PIL.Image
import torch
import transformers

from photographs import Files
from tiepoint.huggingface import (
    KeypointMatchingPipeline,
    LightGlueConfig,
    LightGlueForKeypointMatching,
    LightGlueImageProcessorFast,
    to_transformers,
)
from timing import Case

KEYPOINTS = (512, 1024, 2048)
BATCHES = (1, 8)

Photographs = list[PIL.Image.Image]


def cases(files: dict[str, Files], *, quick: bool) -> Iterator[Case]:
    """Model and pipeline, for every number of keypoints and pairs."""
    transformers.logging.set_verbosity_error()
    photographs = [PIL.Image.open(path).convert("RGB") for path in files["easy"]]
    for count in (128,) if quick else KEYPOINTS:
        yield from cases_of(random_model(count), photographs, (1, 2) if quick else BATCHES)


def cases_of(
    ours: LightGlueForKeypointMatching, photographs: Photographs, batches: tuple[int, ...]
) -> Iterator[Case]:
    """One number of keypoints."""
    theirs = to_transformers(ours)
    count = ours.config.keypoint_detector_config.max_keypoints
    pixels = LightGlueImageProcessorFast()(photographs, return_tensors="pt")["pixel_values"]
    our_pipeline = KeypointMatchingPipeline(ours, LightGlueImageProcessorFast())
    their_pipeline = transformers.pipeline(
        "keypoint-matching", model=theirs, image_processor=transformers.LightGlueImageProcessor()
    )
    for size in batches:
        batch, pairs = pixels.expand(size, -1, -1, -1, -1), [photographs] * size
        name = f"{count} keypoints, {size} pair{'s' if size > 1 else ''} of 480 x 640"
        facts = {"keypoints": count, "pairs": size}
        models = {"tiepoint": ours, "transformers": theirs}
        yield Case(
            "Hugging Face",
            f"model, {name}",
            {
                who: lambda model=model, batch=batch: keypoints_used(model(batch))
                for who, model in models.items()
            },
            facts,
        )
        yield Case(
            "Hugging Face",
            f"pipeline, {name}",
            {
                "tiepoint": lambda pairs=pairs, size=size: len(our_pipeline(pairs, batch_size=size)),
                "transformers": lambda pairs=pairs: len(
                    their_pipeline(pairs)
                ),  # its batch_size raises TypeError
            },
            facts,
        )


def random_model(max_keypoints: int) -> LightGlueForKeypointMatching:
    """Full size; a detector that finds as many keypoints as are asked for."""
    torch.manual_seed(0)
    detector = {"max_keypoints": max_keypoints, "keypoint_threshold": 0.0, "strict_border": False}
    model = LightGlueForKeypointMatching(LightGlueConfig(keypoint_detector_config=detector))
    for layer in model.keypoint_detector.modules():
        if isinstance(layer, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(layer.weight)
    return model


def keypoints_used(output: object) -> int:
    """How many keypoints went through all layers; none is dropped."""
    assert len(output.prune.unique()) == 1
    return int(output.mask.sum())
