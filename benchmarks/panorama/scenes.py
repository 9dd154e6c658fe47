"""A rendered street scene all around a camera, and views of it with known rotation, focal length and exposure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import PIL.Image
import PIL.ImageDraw

Color = tuple[int, int, int]

HORIZON = 0.55  # height of the horizon, relative to the image
WALLS: tuple[Color, ...] = (
    (196, 164, 132),
    (170, 120, 104),
    (206, 200, 188),
    (150, 160, 172),
    (222, 190, 140),
    (126, 104, 96),
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Scene:
    """A cylinder around the camera: columns are yaw, rows the height on the cylinder of radius 1.

    Attributes:
        pixels: RGB, shape (h, w, 3); the width is the full circle.
    """

    pixels: np.ndarray

    @property
    def pixels_per_radian(self) -> float:
        """Resolution."""
        return self.pixels.shape[1] / (2 * math.pi)

    def colors(self, rays: np.ndarray) -> np.ndarray:
        """Return the colors that rays (..., 3), right, down and forward, hit; shape (..., 3), uint8."""
        x, y, z = np.moveaxis(rays, -1, 0)
        columns = np.arctan2(x, z) * self.pixels_per_radian + self.pixels.shape[1] / 2
        rows = y / np.hypot(x, z) * self.pixels_per_radian + self.pixels.shape[0] * HORIZON
        padded = np.concatenate([self.pixels[:, -4:], self.pixels, self.pixels[:, :4]], axis=1)
        at = (columns + 4).astype(np.float32), rows.astype(np.float32)
        return cv2.remap(padded, *at, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)


@dataclass(frozen=True, kw_only=True, eq=False)
class Shot:
    """A view of a scene.

    Attributes:
        pixels: RGB, shape (h, w, 3).
        focal_px: Focal length in px.
        world_from_cam: Rotation matrix.
    """

    pixels: np.ndarray
    focal_px: float
    world_from_cam: np.ndarray


def render_scene(width: int = 4096, height: int = 1400, seed: int = 0) -> Scene:
    """Render houses with windows, trees and clouds along a street."""
    rng = np.random.default_rng(seed)
    pixels = _sky_and_ground(width, height, rng)
    image = PIL.Image.fromarray(pixels)
    draw = PIL.ImageDraw.Draw(image)
    horizon = round(height * HORIZON)
    _draw_houses(draw, width, height, horizon, rng)
    _draw_trees(draw, width, height, horizon, rng)
    noise = _smooth_noise((height, width), 6, rng)[..., None] * 22 + rng.normal(0, 3, (height, width, 1))
    return Scene(pixels=np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8))


def rotation(yaw_deg: float, pitch_deg: float = 0.0, roll_deg: float = 0.0) -> np.ndarray:
    """Return world_from_cam: roll about the viewing direction, then pitch (up), then yaw (right)."""
    yaw, pitch, roll = (math.radians(angle) for angle in (yaw_deg, pitch_deg, roll_deg))
    about_y, about_x, about_z = (
        cv2.Rodrigues(np.array(vector, dtype=np.float64))[0]
        for vector in ((0, yaw, 0), (pitch, 0, 0), (0, 0, roll))
    )
    return about_y @ about_x @ about_z


def shoot(
    scene: Scene,
    world_from_cam: np.ndarray,
    *,
    size: tuple[int, int] = (480, 360),
    focal_px: float = 420.0,
    exposure: float = 1.0,
    samples: int = 2,
) -> Shot:
    """Render a view; it is averaged over `samples` x `samples` rays per pixel."""
    width, height = size
    offset = (1 / samples - 1) / 2
    x, y = np.meshgrid(
        np.arange(samples * width) / samples + offset, np.arange(samples * height) / samples + offset
    )
    rays = np.stack(
        [(x - (width - 1) / 2) / focal_px, (y - (height - 1) / 2) / focal_px, np.ones_like(x)], axis=-1
    )
    colors = scene.colors(rays @ world_from_cam.T).astype(np.float64)
    means = colors.reshape(height, samples, width, samples, 3).mean(axis=(1, 3))
    pixels = np.clip(np.rint(means * exposure), 0, 255).astype(np.uint8)
    return Shot(pixels=pixels, focal_px=focal_px, world_from_cam=world_from_cam)


def align_rotations(found: Sequence[np.ndarray], true: Sequence[np.ndarray]) -> np.ndarray:
    """Return the rotation Q with Q found ~ true, over all world_from_cam (Kabsch)."""
    total = sum((t @ f.T for t, f in zip(true, found, strict=True)), np.zeros((3, 3)))
    U, _, Vt = np.linalg.svd(total)
    return U @ np.diag([1, 1, np.linalg.det(U @ Vt)]) @ Vt


def angle_deg(rotation0: np.ndarray, rotation1: np.ndarray) -> float:
    """Return the angle between two rotations in degrees."""
    cosine = (np.trace(rotation0 @ rotation1.T) - 1) / 2
    return math.degrees(math.acos(min(1.0, max(-1.0, cosine))))


def psnr(image: np.ndarray, reference: np.ndarray, mask: np.ndarray) -> float:
    """Return the peak signal-to-noise ratio in dB within a mask."""
    difference = image[mask].astype(np.float64) - reference[mask]
    return 10 * math.log10(255**2 / max(float(np.mean(difference**2)), 1e-9))


def _sky_and_ground(width: int, height: int, rng: np.random.Generator) -> np.ndarray:
    rows = np.linspace(0, 1, height)[:, None, None]
    sky = np.array([92, 142, 206]) * (1 - rows) + np.array([206, 222, 236]) * rows
    clouds = np.clip(_smooth_noise((height, width), 90, rng), 0, 1)[..., None]
    sky = sky * (1 - clouds) + 248 * clouds
    ground = np.array([128, 124, 116]) + _smooth_noise((height, width), 14, rng)[..., None] * 26
    return np.where(rows < HORIZON, sky, ground).clip(0, 255).astype(np.uint8)


def _draw_houses(
    draw: PIL.ImageDraw.ImageDraw, width: int, height: int, horizon: int, rng: np.random.Generator
) -> None:
    left = 0
    while left < width:
        right = min(width, left + int(rng.integers(width // 50, width // 16)))
        top = horizon - int(rng.integers(height // 7, height // 3))
        bottom = horizon + height // 20
        wall = WALLS[int(rng.integers(len(WALLS)))]
        draw.rectangle((left, top, right, bottom), fill=wall)
        draw.rectangle((left, top - height // 60, right, top), fill=_shade(wall, 0.6))
        _draw_windows(draw, (left, top, right, bottom), height // 36, rng)
        left = right + int(rng.integers(0, width // 90))


def _draw_windows(
    draw: PIL.ImageDraw.ImageDraw, box: tuple[int, int, int, int], side: int, rng: np.random.Generator
) -> None:
    left, top, right, bottom = box
    for y in range(top + side, bottom - 2 * side, 2 * side):
        for x in range(left + side, right - side, 2 * side):
            glass = tuple(int(value) for value in rng.integers(20, 120, 3))
            width, height = (int(value) for value in rng.integers(side // 2, side, 2))
            draw.rectangle((x, y, x + width, y + height + side // 3), fill=glass, outline=(236, 236, 230))
            if rng.random() < 0.3:
                draw.line((x, y, x + width, y + height), fill=(240, 240, 240), width=1)


def _draw_trees(
    draw: PIL.ImageDraw.ImageDraw, width: int, height: int, horizon: int, rng: np.random.Generator
) -> None:
    for x in rng.integers(0, width, width // 110).tolist():
        foot = horizon + int(rng.integers(height // 30, height // 5))
        tall = int(rng.integers(height // 9, height // 4))
        draw.rectangle((x - 3, foot - tall, x + 3, foot), fill=(84, 62, 44))
        for _ in range(60):
            dx, dy = rng.normal(0, tall / 6, 2)
            radius = int(rng.integers(3, max(4, tall // 12)))
            green = (int(rng.integers(30, 90)), int(rng.integers(90, 150)), int(rng.integers(30, 80)))
            center = x + dx, foot - tall + dy
            draw.ellipse(
                (center[0] - radius, center[1] - radius, center[0] + radius, center[1] + radius), fill=green
            )


def _shade(color: Color, factor: float) -> Color:
    red, green, blue = color
    return int(red * factor), int(green * factor), int(blue * factor)


def _smooth_noise(shape: tuple[int, int], cell: int, rng: np.random.Generator) -> np.ndarray:
    """Noise with a standard deviation of about 0.5, constant over about `cell` px."""
    coarse = rng.normal(0, 0.7, (shape[0] // cell + 2, shape[1] // cell + 2)).astype(np.float32)
    return cv2.resize(coarse, shape[::-1], interpolation=cv2.INTER_CUBIC)
