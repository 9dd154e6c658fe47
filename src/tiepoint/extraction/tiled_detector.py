"""Detect in tiles what would be detected in the whole image, in the memory of one tile.

The cores of the tiles partition the image, and a keypoint belongs to the tile whose core holds its pixel. Seen from
two tiles, scores near a seam may differ a little: of two keypoints across a seam that are too close, the weaker
goes. The budget is one for the whole image: all tiles compete, by the score that the whole image is ranked by.
"""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Float32, Int
from torch import Tensor

from tiepoint.extraction.tile_grid import Box, GridTile
from tiepoint.image import Image, ImageTransform
from tiepoint.models.keypoints import Detection, has_contrast, masked, positions_of, strongest
from tiepoint.models.tile import Tile

ROW = 1 << 32  # more than any image is wide


@runtime_checkable
class TileNetwork(Protocol):
    """A detector network that can say what it finds in a part of an image.

    Attributes:
        stride: tiles begin at multiples of it, counted from `grid_origin`, in px.
        nms_radius: no two keypoints are this close or closer in both x and y, in px.
        bytes_per_pixel: memory that an image takes.
        descriptor_dim: columns of the descriptors.
    """

    stride: int
    nms_radius: int
    bytes_per_pixel: int

    @property
    def descriptor_dim(self) -> int: ...

    def grid_origin(self, image_size: tuple[int, int]) -> tuple[int, int]:
        """(x, y) in px where the grid of an image of this (width, height) begins."""
        ...

    def context_of(self, parts: Iterable[tuple[Tensor, Tile]]) -> Tensor | None:
        """What each part must know of the whole, from all (images (1, 3, h, w), window); None: nothing."""
        ...

    def dense_maps(self, images: Tensor, window: Tile | None = None) -> tuple[Tensor, Any]:
        """Score maps (b, h, w), and what descriptors are made of, one each image."""
        ...

    def suppress(self, scores: Tensor) -> Tensor:
        """The scores (h, w) of pixels that may be keypoints; zero at all others."""
        ...

    def keypoints_at(
        self,
        pixels: Tensor,
        scores: Tensor,
        features: Any,
        *,
        mask: Tensor | None = None,
        window: Tile | None = None,
    ) -> Detection:
        """Refine and describe pixels given by raster index."""
        ...


class Candidates(NamedTuple):
    """Keypoints and what they are ranked by, all in px of the whole image.

    Attributes:
        pixels: (x, y) where each was found, before it was refined.
        ranks: the score of that pixel.
        keypoints: see `Detection`.
        scores: likewise.
        descriptors: likewise.
    """

    pixels: Int[Tensor, "n 2"]
    ranks: Float[Tensor, "n"]
    keypoints: Float[Tensor, "n 2"]
    scores: Float[Tensor, "n"]
    descriptors: Float[Tensor, "n d"]


class TiledDetector:
    """A network that looks at an image tile by tile.

    Args:
        network: see `TileNetwork`.
        device: where it runs.
        max_keypoints: the strongest so many of the whole image; None: all.
        detection_threshold: a keypoint scores above this.
    """

    def __init__(
        self,
        network: TileNetwork,
        *,
        device: torch.device,
        max_keypoints: int | None,
        detection_threshold: float,
    ) -> None:
        self.network = network
        self.device = device
        self.max_keypoints = max_keypoints
        self.detection_threshold = detection_threshold

    def detect(
        self, image: Image, tiles: list[GridTile], mask: Bool[Tensor, "h w"] | None = None
    ) -> Detection:
        """Find and describe the keypoints of an image.

        Args:
            image: as the network would see it.
            tiles: see `tiles_of`.
            mask: True where keypoints may lie; None: everywhere.

        Returns:
            What the network finds in the whole image, as far as the tiles show the surroundings.
        """
        found = _none(self.network.descriptor_dim, self.device)
        if not has_contrast(image.pixels[None])[0]:
            return Detection(*found[2:])
        context = self.network.context_of(self._parts(image, tiles))
        for tile in tiles:
            if mask is None or mask[tile.core.slices].any():
                new = self._look_at(image, tile, mask, context, found)
                found = self._merge(found, new, tile.core)
        return Detection(*found[2:])

    def _parts(self, image: Image, tiles: list[GridTile]) -> Iterator[tuple[Tensor, Tile]]:
        for tile in tiles:
            yield self._show(image, tile.shown), _window(tile, image)

    def _show(self, image: Image, box: Box) -> Float32[Tensor, "1 3 h w"]:
        """A part of the image as the network takes it."""
        part = Image(pixels=image.pixels[:, *box.slices])
        return ImageTransform.fit(part.image_size, None).apply(part)[None].to(self.device)

    def _look_at(
        self, image: Image, tile: GridTile, mask: Tensor | None, context: Tensor | None, found: Candidates
    ) -> Candidates:
        """The strongest keypoints of the core of one tile."""
        shown, window = tile.shown, _window(tile, image)._replace(context=context)
        allowed = None if mask is None else mask[shown.slices].to(self.device)
        score_maps, features = self.network.dense_maps(self._show(image, shown), window)
        scores = score_maps[0]
        maxima = self.network.suppress(masked(scores, allowed))
        chosen = self._choose(maxima, tile.core.within(shown), found)
        seen = self.network.keypoints_at(chosen, scores, features[0], mask=allowed, window=window)
        corner = torch.tensor(shown[:2], device=self.device)
        pixels = positions_of(chosen, scores.shape[1]) + corner
        return Candidates(
            pixels, maxima.flatten()[chosen], seen.keypoints + corner, seen.scores, seen.descriptors
        )

    def _choose(self, maxima: Tensor, core: Box, found: Candidates) -> Tensor:
        """Raster indices of the strongest in the core, but those that the keypoints found already outdo."""
        inside = maxima[core.slices]
        chosen = strongest(inside, self.max_keypoints, self.detection_threshold)
        if 0 < len(found.ranks) == self.max_keypoints:
            chosen = chosen[inside.flatten()[chosen] >= found.ranks[-1]]
        columns, rows = positions_of(chosen, inside.shape[1]).unbind(dim=1)
        return (rows + core.top) * maxima.shape[1] + columns + core.left

    def _merge(self, found: Candidates, new: Candidates, core: Box) -> Candidates:
        """The strongest of both; of two that are too close across the border of the core, the stronger."""
        overruled, losing = _overruled(found, new, core, self.network.nms_radius)
        both = _join(_pick(found, ~overruled), _pick(new, ~losing))
        ordered = _pick(both, _raster_order(both.pixels))  # so that ties go to the lower index
        order = ordered.ranks.argsort(descending=True, stable=True)
        return _pick(ordered, order[: self.max_keypoints])


def _overruled(found: Candidates, new: Candidates, core: Box, radius: int) -> tuple[Tensor, Tensor]:
    """Which of the keypoints outside the core, and of those inside it, have a stronger one too close beyond its border."""
    near_core = _inside(found.pixels, core, margin=radius)
    near_border = ~_inside(new.pixels, core, margin=-radius)
    outer, inner = _pick(found, near_core), _pick(new, near_border)
    distances = (outer.pixels[:, None] - inner.pixels).abs().amax(dim=2)
    differences = outer.ranks[:, None] - inner.ranks
    close = distances <= radius
    overruled, losing = torch.zeros_like(near_core), torch.zeros_like(near_border)
    overruled[near_core] = (close & (differences < 0)).any(dim=1)
    losing[near_border] = (close & (differences > 0)).any(dim=0)
    return overruled, losing


def _raster_order(pixels: Int[Tensor, "n 2"]) -> Int[Tensor, "n"]:
    x, y = pixels.unbind(dim=1)
    return (y * ROW + x).argsort()


def _inside(pixels: Tensor, box: Box, margin: int) -> Tensor:
    """Which (x, y) lie in the box when it grows by the margin on each side, or shrinks by a negative one."""
    low = pixels.new_tensor([box.left - margin, box.top - margin])
    high = pixels.new_tensor([box.right + margin, box.bottom + margin])
    return ((pixels >= low) & (pixels < high)).all(dim=1)


def _window(tile: GridTile, image: Image) -> Tile:
    return Tile(tile.shown.left, tile.shown.top, image.image_size, tile.core)


def _none(descriptor_dim: int, device: torch.device) -> Candidates:
    pixels = torch.zeros((0, 2), dtype=torch.int64, device=device)
    empty = torch.zeros((0, 2), device=device)
    return Candidates(pixels, empty[:, 0], empty, empty[:, 0], empty.new_zeros(0, descriptor_dim))


def _pick(candidates: Candidates, index: Tensor) -> Candidates:
    return Candidates(*(column[index] for column in candidates))


def _join(first: Candidates, second: Candidates) -> Candidates:
    return Candidates(*(torch.cat(pair) for pair in zip(first, second, strict=True)))
