"""Homographic warps of images as files, for features that another program extracts."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tiepoint.errors import InvalidInput
from tiepoint.feature_store import Store
from tiepoint.image import Image
from tiepoint.image.listing import find_images
from tiepoint.io.atomic import atomic_write
from tiepoint.io.batching import batched
from tiepoint.io.config import to_dict
from tiepoint.io.hashing import file_digest, json_digest
from tiepoint.io.progress import ProgressCallback, no_progress, track
from tiepoint.io.serialization import write_json
from tiepoint.training.data.feature_files import FileExtractor
from tiepoint.training.data.homographic_warps import (
    KIND,
    SHARD_SIZE,
    CachedWarps,
    Warp,
    WarpConfig,
    can_match,
    image_keys,
    make_warp,
    no_keypoints,
    read_training_image,
    warp_generator,
    warps_to_record,
)
from tiepoint.training.data.warp_list import FORMAT, WARPS, WarpedImage, WarpFile, WarpList
from tiepoint.types import Features
from tiepoint.types.options import Stretch

FILE_NAME = re.compile(r"[0-9a-f]{16}-[0-9]+\.png")
"""Names of the files: digest of image and settings, and number of the warp."""


def write_warps(
    images: Path,
    folder: Path,
    config: WarpConfig | None = None,
    *,
    stretch: Stretch = None,
    progress: ProgressCallback = no_progress,
) -> tuple[str, ...]:
    """Write the warps of all images as PNG files, and their homographies as `warps.json`, last.

    They are those of a training with the same settings, in 8 bits; a warp and the name of its file depend on the settings
    and the content of its image alone, so features that were extracted from other warps are never taken for theirs.

    Args:
        images: Folder of images.
        folder: Output folder outside of `images`; warps of earlier calls are removed first.
        config: Settings; None uses the defaults. `max_keypoints` has no effect.
        stretch: Percentile stretch of the images.
        progress: Callback that shows the progress.

    Returns:
        Problems: images that cannot be used, one line each.

    Raises:
        InvalidInput: If no image is usable, the folder is inside of `images`, or it cannot be written.
    """
    config = config or WarpConfig()
    _check_separate(images, folder)
    paths, problems = image_keys(find_images(images))
    settings = {**to_dict(config), "stretch": stretch}
    _clear(folder)
    entries: list[dict[str, Any]] = []
    for key, path in track(list(paths.items()), "writing warps", progress):
        try:
            image = read_training_image(path, stretch)
        except InvalidInput as error:
            problems[path] = str(error)
            continue
        name = json_digest([key, settings])
        warps = [
            _write_warp(image, key, index, folder / f"{name}-{index}.png", config)
            for index in range(config.per_image)
        ]
        entries.append({"key": key, "source": str(path), "warps": warps})
    if not entries:
        raise InvalidInput(f"no usable images in {images} ({next(iter(problems.values()), 'it is empty')})")
    write_json({"format": FORMAT, "settings": settings, "images": entries}, folder / WARPS)
    return tuple(problems.values())


def cache_warp_files(
    warps: WarpList,
    extractor: FileExtractor,
    folder: Path,
    max_keypoints: int,
    *,
    progress: ProgressCallback = no_progress,
) -> CachedWarps:
    """Store the given features of warps, from which pairs are read as from `cache_warps`. Resumable.

    Args:
        warps: Images and the files of their warps.
        extractor: Features of the files.
        folder: Folder of the store; new, empty, or created with the same warps and features.
        max_keypoints: Maximum number of keypoints per warp, highest scores first.
        progress: Callback that shows the progress.

    Raises:
        InvalidInput: If the store cannot be written.
        StoreError: If the folder holds other files, or features of other files or warps; the message shows the difference.
    """
    limited = extractor.limited(max_keypoints)
    store = Store(
        folder,
        {"extractor": limited.settings.kind, "features": limited.fingerprint, "warps": warps.digest},
    )
    by_key = {image.key: image for image in warps.images}
    problems: dict[str, str] = {}
    missing = list(batched(store.missing(KIND, by_key), SHARD_SIZE))
    for batch in track(missing, "reading features of warps", progress):
        records, broken = _make_records([by_key[key] for key in batch], limited)
        problems |= broken
        if records:
            store.write(KIND, records)
    keys = tuple(key for key in by_key if key not in problems)
    return CachedWarps(store=store, keys=keys, problems=tuple(problems.values()))


def _make_records(
    images: Sequence[WarpedImage], extractor: FileExtractor
) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    """Return records and problems, by key."""
    records, problems = {}, {}
    for image in images:
        try:
            warps = [Warp(_read_warp(file, extractor), file.homography) for file in image.warps]
        except InvalidInput as error:
            problems[image.key] = str(error)
            continue
        if can_match(warps):
            records[image.key] = warps_to_record(warps, image.source)
        else:
            problems[image.key] = no_keypoints(image.source)
    return records, problems


def _read_warp(file: WarpFile, extractor: FileExtractor) -> Features:
    file.check_content()
    features = extractor.read(file.path)
    if features.image_size != file.size:
        raise InvalidInput(
            f"features of {file.path}: expected image_size {file.size} (width, height), got {features.image_size}; keypoints "
            "must be in px of the file"
        )
    return features


def _check_separate(images: Path, folder: Path) -> None:
    """Check that warps are not written among the images, where the next call would warp them again."""
    if folder.resolve().is_relative_to(images.resolve()):
        raise InvalidInput(
            f"cannot write warps to {folder}: it is inside of {images}; use a folder outside of it"
        )


def _clear(folder: Path) -> None:
    """Create the folder, or remove the list of an earlier call, before any of its files, and the files."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / WARPS).unlink(missing_ok=True)
        for path in list(folder.iterdir()):
            if FILE_NAME.fullmatch(path.name):
                path.unlink()
    except OSError as error:
        raise InvalidInput(f"cannot write to the folder {folder}: {error.strerror or error}") from error


def _write_warp(image: Image, key: str, index: int, path: Path, config: WarpConfig) -> dict[str, Any]:
    warp, homography = make_warp(image, warp_generator(config, key, index), config)
    with atomic_write(path) as temporary:
        warp.to_pil().save(temporary)
    return {
        "file": path.name,
        "size": list(warp.image_size),
        "image_from_warp": homography.tolist(),
        "digest": file_digest(path),
    }
