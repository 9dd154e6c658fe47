"""Data sets with ground-truth homographies: HPatches, Oxford affine, and custom lists."""

from collections.abc import Sequence
from pathlib import Path

from tiepoint.errors import InvalidInput
from tiepoint.evaluation.datasets.builder import DatasetBuilder
from tiepoint.evaluation.datasets.checks import homography_ground_truth
from tiepoint.evaluation.datasets.pairs_jsonl import read_pairs_jsonl
from tiepoint.evaluation.datasets.parsing import (
    find_image,
    pair_name,
    parse_numbers,
    read_lines,
    read_matrix,
    scene_name,
    split_subset,
)
from tiepoint.evaluation.ground_truth import Dataset, EvaluationPair

HPATCHES_LARGE = (
    "i_contruction",
    "i_crownnight",
    "i_dc",
    "i_pencils",
    "i_whitebuilding",
    "v_artisans",
    "v_astronautis",
    "v_talent",
)
# Sequences larger than 1600 x 1200 px, excluded since D2-Net (arXiv 1905.03561), section 5.1

HPATCHES_SUBSETS = ("", "i", "v", "all")
LIST_NAME = "pairs.txt"


def read_hpatches(path: str | Path) -> Dataset:
    """Read HPatches as released (hpatches-sequences-release): `v_NAME/1.ppm` to `6.ppm`, `H_1_2` to `H_1_6`.

    Args:
        path: Folder of the sequences. Append "#i" for illumination changes only, "#v" for viewpoint changes only,
            "#all" to include the eight large sequences, which the usual 540 pairs exclude.

    Raises:
        InvalidInput: If the folder contains no sequences, or the subset is unknown.

    Source: HPatches (arXiv 1704.05939); the release that glue-factory downloads.
    """
    folder, subset = split_subset(path)
    if subset not in HPATCHES_SUBSETS:
        raise InvalidInput(f"unknown subset {subset!r} of HPatches; available: #i, #v, #all")
    sequences = [scene for scene in _folders(folder) if scene.name.startswith(("i_", "v_"))]
    if not sequences:
        raise InvalidInput(
            f"{folder} is not HPatches: expected folders i_NAME and v_NAME with 1.ppm ... 6.ppm and H_1_2 ... H_1_6"
        )
    selected = [scene for scene in sequences if _is_in_subset(scene.name, subset)]
    builder = DatasetBuilder()
    for scene in selected:
        images = [find_image(scene, str(index)) for index in range(1, 7)]
        kind = "illumination" if scene.name.startswith("i_") else "viewpoint"
        _add_sequence(builder, scene, images, "H_1_{index}", {"change": kind})
    return builder.dataset("hpatches" + (f"#{subset}" if subset else ""))


def read_oxford_affine(path: str | Path) -> Dataset:
    """Read Oxford affine as published: `graf/img1.ppm` to `img6.ppm`, `H1to2p` to `H1to6p`.

    If no scene has these files but there is a pairs.jsonl next to the folder, the rows of this set are read from it.

    Args:
        path: Folder of the scenes, or of one scene.

    Raises:
        InvalidInput: If the folder contains no scenes.

    Source: Mikolajczyk et al., A Comparison of Affine Region Detectors (IJCV 2005).
    """
    folder = Path(path)
    scenes = [scene for scene in (folder, *_folders(folder)) if find_image(scene, "img1").is_file()]
    listing = folder.parent / "pairs.jsonl"
    if not any(list(scene.glob("H1to*p")) for scene in scenes) and listing.is_file():
        rows = read_pairs_jsonl(f"{listing}#{folder.name}")
        return Dataset(name="oxford-affine", pairs=rows.pairs, problems=rows.problems)
    if not scenes:
        raise InvalidInput(
            f"{folder} is not Oxford affine: expected folders such as graf with img1.ppm ... img6.ppm and H1to2p ... H1to6p"
        )
    builder = DatasetBuilder()
    for scene in scenes:
        images = [find_image(scene, f"img{index}") for index in range(1, 7)]
        _add_sequence(builder, scene, images, "H1to{index}p", {})
    return builder.dataset("oxford-affine")


def read_homography_folder(path: str | Path) -> Dataset:
    """Read a custom data set: a folder with images and a list, `pairs.txt`.

    Each line of the list has eleven words: the two image paths, relative to the folder and without spaces, and the nine
    numbers of H in row-major order, p1 ~ H p0 in px. Blank lines and lines that start with # are ignored. The format is
    the same as that of glue-factory's `image_pairs`.

    Args:
        path: Folder, or path of the list.

    Raises:
        InvalidInput: If there is no list.
    """
    location = Path(path)
    listing = location / LIST_NAME if location.is_dir() else location
    if not listing.is_file():
        raise InvalidInput(
            f"{location} has no {LIST_NAME}: expected a text file with lines of the form: image0 image1 h11 h12 h13 h21 ... h33"
        )
    builder = DatasetBuilder()
    for number, line in read_lines(listing):
        with builder.skip_invalid(listing, number):
            _add_row(builder, listing.parent, line.split())
    return builder.dataset("homography-folder")


def _add_row(builder: DatasetBuilder, folder: Path, words: Sequence[str]) -> None:
    truth = homography_ground_truth(parse_numbers(words[2:], 9, "the homography after the two images"))
    images = folder / words[0], folder / words[1]
    scene = scene_name(words[0], folder.name)
    name = pair_name(scene, *images)
    builder.add(EvaluationPair(name=name, scene=scene, image0=images[0], image1=images[1], truth=truth))


def _add_sequence(
    builder: DatasetBuilder,
    scene: Path,
    images: Sequence[Path],
    matrix_name: str,
    tags: dict[str, str | float],
) -> None:
    """Add the pairs of image 1 with each of the others."""
    for index, image in enumerate(images[1:], start=2):
        matrix = scene / matrix_name.format(index=index)
        with builder.skip_invalid(matrix):
            pair = EvaluationPair(
                name=pair_name(scene.name, images[0], image),
                scene=scene.name,
                image0=images[0],
                image1=image,
                truth=homography_ground_truth(read_matrix(matrix, 3, 3).ravel()),
                tags=tags | {"index": index},
            )
            builder.add(pair)


def _is_in_subset(sequence: str, subset: str) -> bool:
    if subset == "all":
        return True
    return sequence not in HPATCHES_LARGE and sequence.startswith(subset)


def _folders(folder: Path) -> list[Path]:
    return sorted(entry for entry in folder.iterdir() if entry.is_dir()) if folder.is_dir() else []
