"""Stitch views of known rotation with tiepoint and with OpenCV's stitcher, on the same images in one run.

    python -m benchmarks panorama            # some minutes, 15 next to other work on two cores
    python -m benchmarks panorama --quick    # small cases: a smoke test

Every case renders views of one large image, in shuffled order. Rotations are compared after the best common rotation;
the residual of a method is where its cameras map matching points of overlapping views, against the known cameras. The
PSNR of tiepoint's panorama is that against the large image, sampled on the grid of the panorama; "psnr_ends_db" is that
within 32 columns of both ends of a full circle. Seconds are those of one run and include loading the weights; other work
on the machine shows in them.
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

import tiepoint
from benchmarks.panorama.scenes import (
    Scene,
    Shot,
    align_rotations,
    angle_deg,
    psnr,
    render_scene,
    rotation,
    shoot,
)
from benchmarks.records import (
    Record,
    about,
    add_quick_argument,
    add_records_argument,
    read_record,
    write_record,
)
from tiepoint.stitching.result import Panorama
from tiepoint.stitching.views import TO_RAYS

RECORD = "panorama.json"
END_COLUMNS = 32


@dataclass(frozen=True, kw_only=True)
class Case:
    """Views of a scene.

    Attributes:
        name: Description.
        angles: Yaw, pitch and roll of each view in degrees.
        exposures: Factors of the brightness, repeated over the views.
    """

    name: str
    angles: Sequence[tuple[float, float, float]]
    exposures: Sequence[float] = (1.0,)


CASES = (
    Case(name="5 views, a row", angles=[(-50 + 25 * i, (-1) ** i * 2, i % 3 - 1) for i in range(5)]),
    Case(
        name="10 views, a full circle",
        angles=[(36 * i, (-1) ** i * 3, (i % 3 - 1) * 2) for i in range(10)],
    ),
    Case(
        name="10 views, a full circle, exposures of 0.75 to 1.25",
        angles=[(36 * i, 0, 0) for i in range(10)],
        exposures=(0.75, 1.0, 1.25),
    ),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_records_argument(parser, RECORD)
    add_quick_argument(parser)
    parser.add_argument("--preset", default="fast", help="Preset of tiepoint.")


def main(arguments: argparse.Namespace) -> None:
    """Measure and write the record."""
    scene = render_scene(2400, 800) if arguments.quick else render_scene(6144, 2100)
    size, focal_px = ((320, 240), 300.0) if arguments.quick else ((800, 600), 740.0)
    rows = []
    for case in CASES[:1] if arguments.quick else CASES:
        shots = _shots(scene, case, size, focal_px)
        rows.append(
            {"case": case.name, "views": len(shots), "tiepoint": _measure(scene, shots, arguments.preset)}
        )
        rows[-1]["opencv"] = _measure_opencv(shots)
        print(rows[-1], flush=True)
    record = {
        "about": about(1),
        "timing": "one run, next to other work on the same machine",
        "preset": arguments.preset,
        "image_size": size,
        "focal_px": focal_px,
        "rows": rows,
    }
    previous = read_record(arguments.records, RECORD) or {}
    write_record(arguments.records, RECORD, record | {"memory": previous.get("memory")})


def _shots(scene: Scene, case: Case, size: tuple[int, int], focal_px: float) -> list[Shot]:
    order = np.random.default_rng(0).permutation(len(case.angles))
    return [
        shoot(
            scene,
            rotation(*case.angles[index]),
            size=size,
            focal_px=focal_px,
            exposure=case.exposures[index % len(case.exposures)],
        )
        for index in order.tolist()
    ]


def _measure(scene: Scene, shots: Sequence[Shot], preset: str) -> Record:
    start = time.perf_counter()
    found = tiepoint.stitch([shot.pixels for shot in shots], preset=preset)
    seconds = time.perf_counter() - start
    used = [shots[image.index] for image in found.images]
    own = [image.world_from_cam for image in found.images if image.world_from_cam is not None]
    focal_lengths = [image.focal_px or 0.0 for image in found.images]
    row = _compare(used, own, focal_lengths) | {"images": len(used), "seconds": round(seconds, 2)}
    aligned = align_rotations(own, [shot.world_from_cam for shot in used])
    x, y = np.meshgrid(np.arange(found.canvas.width), np.arange(found.canvas.height))
    surface = np.stack([x + found.canvas.left, y + found.canvas.top], axis=-1) / found.canvas.scale
    expected = scene.colors(TO_RAYS[found.projection](surface) @ aligned.T)
    counts = sum(_is_shown(view, surface) for view in found.views)
    opaque = found.pixels[..., 3] > 0
    return row | {
        "model": found.model,
        "projection": found.projection,
        "median_error_px": round(found.median_error_px, 3),
        "psnr_db": round(psnr(found.pixels[..., :3], expected, opaque), 2),
        "psnr_ends_db": _psnr_at_ends(found, expected),
        "psnr_overlap_db": round(psnr(found.pixels[..., :3], expected, opaque & (counts > 1)), 2),
        "stages": {name: round(value, 2) for name, value in found.seconds.items()},
    }


def _psnr_at_ends(found: Panorama, expected: np.ndarray) -> float | None:
    """PSNR within `END_COLUMNS` of both ends of a full circle; None of other panoramas."""
    if not found.is_full_circle:
        return None
    near = found.pixels[..., 3] > 0
    near[:, END_COLUMNS:-END_COLUMNS] = False
    return round(psnr(found.pixels[..., :3], expected, near), 2)


def _measure_opencv(shots: Sequence[Shot]) -> Record:
    stitcher = cv2.Stitcher.create(cv2.Stitcher_PANORAMA)
    start = time.perf_counter()
    status, _ = stitcher.stitch([np.ascontiguousarray(shot.pixels[..., ::-1]) for shot in shots])
    seconds = round(time.perf_counter() - start, 2)
    if status != cv2.Stitcher_OK:
        return {"images": 0, "status": int(status), "seconds": seconds}
    used = [shots[index] for index in np.asarray(stitcher.component()).ravel().tolist()]
    cameras = stitcher.cameras()
    scale = stitcher.workScale()
    own = [np.asarray(camera.R, dtype=np.float64) for camera in cameras]
    return _compare(used, own, [camera.focal / scale for camera in cameras]) | {
        "images": len(used),
        "seconds": seconds,
    }


def _compare(shots: Sequence[Shot], found: Sequence[np.ndarray], focal_lengths: Sequence[float]) -> Record:
    """Errors of cameras against the known ones."""
    true = [shot.world_from_cam for shot in shots]
    aligned = align_rotations(found, true)
    angles = [angle_deg(aligned @ own, known) for own, known in zip(found, true, strict=True)]
    ratios = [own / shot.focal_px - 1 for own, shot in zip(focal_lengths, shots, strict=True)]
    residuals = [
        _residuals(shots[i], shots[j], (found[i], found[j]), (focal_lengths[i], focal_lengths[j]))
        for i in range(len(shots))
        for j in range(len(shots))
        if i != j
    ]
    return {
        "rotation_error_deg": {
            "median": round(float(np.median(angles)), 4),
            "maximum": round(max(angles), 4),
        },
        "focal_error_percent": round(100 * max(abs(ratio) for ratio in ratios), 3),
        "residual_px": {
            "median": round(float(np.median(np.concatenate(residuals))), 3),
            "q95": round(float(np.quantile(np.concatenate(residuals), 0.95)), 3),
        },
    }


def _residuals(shot0: Shot, shot1: Shot, rotations: Any, focal_lengths: tuple[float, float]) -> np.ndarray:
    """Distances in px between where estimated and known cameras map a grid of image 0 to image 1."""
    height, width = shot0.pixels.shape[:2]
    x, y = np.meshgrid(np.linspace(0, width - 1, 17), np.linspace(0, height - 1, 13))
    points = np.stack([x.ravel(), y.ravel()], axis=1)
    center = (np.array([width, height]) - 1) / 2
    mapped = []
    for own, focal in (
        ((shot0.world_from_cam, shot1.world_from_cam), (shot0.focal_px, shot1.focal_px)),
        (rotations, focal_lengths),
    ):
        rays = np.column_stack([(points - center) / focal[0], np.ones(len(points))]) @ own[0].T @ own[1]
        mapped.append(
            np.where(
                rays[:, 2:] > 0.1, rays[:, :2] / np.maximum(rays[:, 2:], 0.1) * focal[1] + center, np.nan
            )
        )
    inside = ((mapped[0] >= 0) & (mapped[0] <= (width - 1, height - 1))).all(axis=1)
    return np.nan_to_num(np.linalg.norm(mapped[1] - mapped[0], axis=1)[inside], nan=float(width))


def _is_shown(view: Any, surface: np.ndarray) -> np.ndarray:
    x, y = np.moveaxis(view.to_image(surface), -1, 0)
    width, height = view.image_size
    return ((x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)).astype(int)
