"""Render images of a textured scene with known cameras and depth, which the notebooks match, verify and reconstruct.

The scene is a floor, two walls and three boxes: textured rectangles, whose textures are drawn from a seed. So its images
may be used for anything, and every pixel has a ground truth.

    python examples/notebooks/rendered_scene.py FOLDER      # 12 images, as JPEG files
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageDraw

TEXTURE_SIDE = 640  # px
NUM_SHAPES = 420  # per texture
FOCAL_RATIO = 0.9  # focal length / image width
SUPERSAMPLING = 2
BACKGROUND = 30  # gray value where no rectangle is hit

# Rectangles: corner, and the two edges, in m; the floor is z = 0
FLOOR_AND_WALLS = (
    ((-3, -3, 0), (6, 0, 0), (0, 6, 0)),
    ((-3, 3, 0), (6, 0, 0), (0, 0, 3)),
    ((3, -3, 0), (0, 6, 0), (0, 0, 3)),
)
BOXES = (
    ((-1.5, 0.6, 0), (1.2, 0.9, 1.3)),
    ((0.4, -0.9, 0), (0.9, 1.0, 0.7)),
    ((0.9, 1.4, 0), (1.0, 0.8, 1.9)),
)


@dataclass(frozen=True, kw_only=True, eq=False)
class View:
    """An image with its camera.

    Attributes:
        pixels: Image, shape (h, w, 3), uint8.
        depth: Depth in m of each pixel along the optical axis, shape (h, w); inf where nothing is hit.
        intrinsics: Intrinsics K in px, shape (3, 3); the center of the top-left pixel is (0, 0).
        cam_from_world: Pose [R | t], shape (3, 4): x to the right, y down, z forward, in m.
    """

    pixels: np.ndarray
    depth: np.ndarray
    intrinsics: np.ndarray
    cam_from_world: np.ndarray

    def project_to(self, other: "View", points: np.ndarray) -> np.ndarray:
        """Return where points (n, 2) of this image are in another view, in px; NaN where they are hidden there."""
        columns, rows = np.rint(points).astype(int).T
        rays = _homogeneous(points) @ np.linalg.inv(self.intrinsics).T
        rotation, translation = self.cam_from_world[:, :3], self.cam_from_world[:, 3]
        world = (rays * self.depth[rows, columns, None] - translation) @ rotation
        there = world @ other.cam_from_world[:, :3].T + other.cam_from_world[:, 3]
        projected = there @ other.intrinsics.T
        projected = projected[:, :2] / projected[:, 2:]
        height, width = other.depth.shape
        x, y = np.rint(projected).clip(0, (width - 1, height - 1)).astype(int).T
        is_visible = np.abs(other.depth[y, x] - there[:, 2]) < 0.03 * there[:, 2]
        is_inside = (projected >= 0).all(axis=1) & (projected <= (width - 1, height - 1)).all(axis=1)
        return np.where((is_visible & is_inside)[:, None], projected, np.nan)


def render(num_views: int = 12, *, width: int = 640, height: int = 480, seed: int = 0) -> list[View]:
    """Render views from cameras on an arc, each a few degrees from the previous one.

    Args:
        num_views: Number of views.
        width: Image width in px.
        height: Image height in px.
        seed: Seed of the textures; another seed is another scene.
    """
    rectangles = list(_rectangles())
    generator = np.random.default_rng(seed)
    textures = [draw_texture(generator) for _ in rectangles]
    poses = [_look_at(angle) for angle in np.linspace(-145, -125 + 5 * num_views, num_views)]
    return [_render_view(pose, width, height, rectangles, textures) for pose in poses]


def save(views: list[View], folder: str | Path) -> list[Path]:
    """Write the images of views as JPEG files, view00.jpg, view01.jpg, …, and return their paths."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"view{number:02}.jpg" for number in range(len(views))]
    for path, view in zip(paths, views, strict=True):
        PIL.Image.fromarray(view.pixels).save(path, quality=95)
    return paths


def relative_pose(view0: View, view1: View) -> np.ndarray:
    """Return cam1_from_cam0, shape (3, 4)."""
    first, second = (np.vstack([view.cam_from_world, (0, 0, 0, 1)]) for view in (view0, view1))
    return (second @ np.linalg.inv(first))[:3]


def draw_texture(generator: np.random.Generator) -> np.ndarray:
    """Draw random polygons and ellipses of all sizes over each other; shape (side, side, 3), float32."""
    picture = PIL.Image.new(
        "RGB", (TEXTURE_SIDE, TEXTURE_SIDE), tuple(generator.integers(60, 200, 3).tolist())
    )
    canvas = PIL.ImageDraw.Draw(picture)
    sizes = np.sort(TEXTURE_SIDE * 0.25 * generator.random(NUM_SHAPES) ** 2 + 6)[::-1]
    for size in sizes:
        center, color = generator.random(2) * TEXTURE_SIDE, tuple(generator.integers(0, 256, 3).tolist())
        corners = center + size * (generator.random((generator.integers(3, 6), 2)) - 0.5)
        if generator.random() < 0.25:
            canvas.ellipse((*(center - size / 3), *(center + size / 3)), fill=color)
        else:
            canvas.polygon([tuple(corner) for corner in corners], fill=color)
    noise = generator.normal(0, 6, (TEXTURE_SIDE, TEXTURE_SIDE, 1))
    return (np.asarray(picture) + noise).astype(np.float32)


def _rectangles() -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yield all rectangles as corner and edges, each of shape (3,)."""
    for rectangle in FLOOR_AND_WALLS:
        yield tuple(np.array(vector, float) for vector in rectangle)
    for corner, (x, y, z) in BOXES:
        start, edges = np.array(corner, float), np.diag((float(x), float(y), float(z)))
        yield start, edges[0], edges[2]  # front
        yield start, edges[1], edges[2]  # left
        yield start + edges[0], edges[1], edges[2]  # right
        yield start + edges[2], edges[0], edges[1]  # top


def _look_at(angle_deg: float) -> np.ndarray:
    """Return cam_from_world of a camera on a circle around the scene, which looks at its middle."""
    angle = np.deg2rad(angle_deg)
    center = np.array([4.2 * np.cos(angle), 4.2 * np.sin(angle), 2.0])
    forward = np.array([0.3, 0.4, 0.6]) - center
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, (0, 0, 1))
    right /= np.linalg.norm(right)
    rotation = np.stack([right, np.cross(forward, right), forward])
    return np.column_stack([rotation, -rotation @ center])


def _render_view(pose: np.ndarray, width: int, height: int, rectangles: list, textures: list) -> View:
    fine = SUPERSAMPLING
    intrinsics = np.array(
        [[FOCAL_RATIO * width, 0, (width - 1) / 2], [0, FOCAL_RATIO * width, (height - 1) / 2], [0, 0, 1]]
    )
    x, y = np.meshgrid(
        (np.arange(width * fine) + 0.5) / fine - 0.5, (np.arange(height * fine) + 0.5) / fine - 0.5
    )
    rays = (
        _homogeneous(np.stack([x, y], axis=-1)) @ np.linalg.inv(intrinsics).T @ pose[:, :3]
    )  # (h, w, 3), in world axes
    rays = rays.astype(np.float32)
    origin = -pose[:, :3].T @ pose[:, 3]
    colors = np.full((*x.shape, 3), BACKGROUND, np.float32)
    depth = np.full(x.shape, np.inf, np.float32)
    for rectangle, texture in zip(rectangles, textures, strict=True):
        _draw_rectangle(colors, depth, origin, rays, rectangle, texture)
    blocks = colors.reshape(height, fine, width, fine, 3).mean(axis=(1, 3))
    return View(
        pixels=np.clip(np.rint(blocks), 0, 255).astype(np.uint8),
        depth=np.median(
            depth.reshape(height, fine, width, fine).swapaxes(1, 2).reshape(height, width, -1), axis=-1
        ),
        intrinsics=intrinsics,
        cam_from_world=pose,
    )


def _draw_rectangle(colors, depth, origin, rays, rectangle, texture) -> None:
    """Intersect all rays with a rectangle, and draw it where it is closer than what was drawn before."""
    corner, edge0, edge1 = rectangle
    normal = np.cross(edge0, edge1)
    with np.errstate(divide="ignore", invalid="ignore"):
        distance = ((corner - origin) @ normal) / (
            rays @ normal
        )  # (h, w), in units of the ray, whose depth is 1
        u, v = (
            ((origin - corner) @ edge + distance * (rays @ edge)) / (edge @ edge) for edge in (edge0, edge1)
        )
        is_hit = (distance > 0) & (distance < depth) & (u >= 0) & (u < 1) & (v >= 0) & (v < 1)
    depth[is_hit] = distance[is_hit]
    scale = TEXTURE_SIDE / max(np.linalg.norm(edge0), np.linalg.norm(edge1))
    columns = u[is_hit] * np.linalg.norm(edge0) * scale
    rows = v[is_hit] * np.linalg.norm(edge1) * scale
    colors[is_hit] = _sample(texture, columns, rows)


def _sample(texture: np.ndarray, columns: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Interpolate a texture bilinearly."""
    limit = TEXTURE_SIDE - 1
    columns, rows = columns.clip(0, limit - 1e-3), rows.clip(0, limit - 1e-3)
    x, y = columns.astype(int), rows.astype(int)
    right, below = (columns - x)[:, None], (rows - y)[:, None]
    upper = texture[y, x] * (1 - right) + texture[y, x + 1] * right
    lower = texture[y + 1, x] * (1 - right) + texture[y + 1, x + 1] * right
    return upper * (1 - below) + lower * below


def _homogeneous(points: np.ndarray) -> np.ndarray:
    return np.concatenate([points, np.ones((*points.shape[:-1], 1))], axis=-1)


if __name__ == "__main__":
    for path in save(render(), sys.argv[1]):
        print(path)
