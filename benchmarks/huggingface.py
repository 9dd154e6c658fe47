"""Seconds of tiepoint's Hugging Face surface beside transformers, in one run.

    .venv/bin/python benchmarks/huggingface.py                       # about ten minutes on two cores
    .venv/bin/python benchmarks/huggingface.py --only pipeline --runs 3
    .venv/bin/python benchmarks/huggingface.py --large               # also batches of 8 with 1024 and 2048 keypoints

Both get the same full-size random weights (SuperPoint, LightGlue), the same photographs resized to 480 x 640, and
find equally many keypoints. Random networks never stop early, so both run all layers. Runs alternate. The record
goes to benchmarks/records/huggingface.json.
"""

from collections.abc import Iterator

import PIL.Image
import torch
import transformers
from skimage.data import stereo_motorcycle

from tiepoint.huggingface import (
    KeypointMatchingPipeline,
    LightGlueConfig,
    LightGlueForKeypointMatching,
    LightGlueImageProcessorFast,
    to_transformers,
)
from timing import Case, parser, run

KEYPOINTS = (512, 1024, 2048)
BATCH = 8

Photographs = list[PIL.Image.Image]


def main() -> None:
    """Time the chosen cases, print the table, write the record."""
    arguments = parser(__doc__, record="huggingface.json")
    arguments.add_argument(
        "--large", action="store_true", help="large batches of many keypoints, which are slow"
    )
    chosen = arguments.parse_args()
    transformers.logging.set_verbosity_error()
    torch.set_grad_enabled(False)
    packages = ("transformers", "torchvision", "huggingface-hub", "numpy")
    run(all_cases(large=chosen.large), chosen, packages)


def all_cases(*, large: bool) -> Iterator[Case]:
    """Every row of the table."""
    left, right, _ = stereo_motorcycle()
    photographs = [PIL.Image.fromarray(image) for image in (left, right)]
    for count in KEYPOINTS:
        batches = (1, BATCH) if large or count == min(KEYPOINTS) else (1,)
        yield from cases_of(random_model(count), photographs, batches)


def cases_of(
    ours: LightGlueForKeypointMatching, photographs: Photographs, batches: tuple[int, ...]
) -> Iterator[Case]:
    """Model and pipeline, for one number of keypoints."""
    theirs = to_transformers(ours)
    count = ours.config.keypoint_detector_config.max_keypoints
    pixels = LightGlueImageProcessorFast()(photographs, return_tensors="pt")["pixel_values"]
    check_equal_work(ours(pixels), theirs(pixels), count)
    our_pipeline = KeypointMatchingPipeline(ours, LightGlueImageProcessorFast())
    their_pipeline = transformers.pipeline(
        "keypoint-matching", model=theirs, image_processor=transformers.LightGlueImageProcessor()
    )
    for size in batches:
        batch, pairs = pixels.expand(size, -1, -1, -1, -1), [photographs] * size
        name = f"{count} keypoints, {size} pair{'s' if size > 1 else ''} of 480 x 640"
        yield Case(f"model, {name}", lambda batch=batch: ours(batch), lambda batch=batch: theirs(batch))
        yield Case(
            f"pipeline, {name}",
            lambda pairs=pairs, size=size: our_pipeline(pairs, batch_size=size),
            lambda pairs=pairs: their_pipeline(pairs),  # with a batch_size it raises TypeError
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


def check_equal_work(ours: object, theirs: object, count: int) -> None:
    """Both see the same number of keypoints, and drop none."""
    for output in (ours, theirs):
        assert output.mask.sum(dim=2).tolist() == [[count, count]]
        assert len(output.prune.unique()) == 1


if __name__ == "__main__":
    main()
