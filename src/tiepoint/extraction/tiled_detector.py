"""Detection in tiles: the keypoints of the whole image, in the memory of one tile.

The cores of the tiles partition the image, and a keypoint belongs to the tile whose core contains its pixel. Scores
near a seam may differ slightly between two tiles: of two keypoints across a seam that are too close, the one with the
lower score is removed. The maximum number of keypoints applies to the whole image: keypoints of all tiles are ranked
together, by the same score as in the whole image.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float, Float32, Int
from torch import Tensor

from tiepoint.extraction.tile_grid import Box, GridTile
from tiepoint.image import Image, ImageTransform
from tiepoint.models.detector import Detector
from tiepoint.models.keypoints import (
    Detection,
    apply_mask,
    has_contrast,
    pixel_coordinates,
    top_k,
)
from tiepoint.models.tile import Tile

RASTER_STRIDE = 1 << 32  # more than the width of any image


class Candidates(NamedTuple):
    """Keypoints and the scores they are ranked by, in px of the whole image.

    Attributes:
        pixels: Integer pixels (x, y) before refinement, shape (n, 2).
        ranks: Scores of these pixels, shape (n,).
        keypoints: Refined positions (x, y), shape (n, 2).
        scores: Scores at the refined positions, shape (n,).
        descriptors: Descriptors, shape (n, d).
    """

    pixels: Int[Tensor, "n 2"]
    ranks: Float[Tensor, "n"]
    keypoints: Float[Tensor, "n 2"]
    scores: Float[Tensor, "n"]
    descriptors: Float[Tensor, "n d"]


class _Parts:
    """The crops and positions of all tiles, which can be iterated over several times; a crop is made when needed."""

    def __init__(self, image: Image, tiles: list[GridTile], device: torch.device) -> None:
        self._image, self._tiles, self._device = image, tiles, device

    def __iter__(self) -> Iterator[tuple[Float32[Tensor, "1 3 h w"], Tile]]:
        for tile in self._tiles:
            yield _crop(self._image, tile.crop, self._device), _tile_position(tile, self._image)


class TiledDetector:
    """A detector network that processes an image tile by tile.

    Args:
        network: Detector network.
        device: Device of the network.
        max_keypoints: Maximum number of keypoints in the whole image, highest scores first; None keeps all.
        detection_threshold: Minimum score (exclusive) of a keypoint.
    """

    def __init__(
        self,
        network: Detector,
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
        """Detect and describe the keypoints of an image.

        Args:
            image: Image at the size at which the network processes it.
            tiles: Tiles, from `split_into_tiles`.
            mask: Mask, shape (h, w), True where keypoints are allowed; None allows them everywhere.

        Returns:
            Keypoints of the whole image, up to effects beyond the overlap of the tiles.
        """
        found = _no_candidates(self.network.descriptor_dim, self.device)
        if not has_contrast(image.pixels[None])[0]:
            return Detection(*found[2:])
        context = self.network.global_context(_Parts(image, tiles, self.device))
        for tile in tiles:
            if mask is None or mask[tile.core.slices].any():
                new = self._detect_tile(image, tile, mask, context, found)
                found = self._merge(found, new, tile.core)
        return Detection(*found[2:])

    def _detect_tile(
        self, image: Image, tile: GridTile, mask: Tensor | None, context: Any, found: Candidates
    ) -> Candidates:
        """Return the keypoints in the core of one tile."""
        position = _tile_position(tile, image)._replace(context=context)
        allowed = None if mask is None else mask[tile.crop.slices].to(self.device)
        score_maps, features = self.network.dense_maps(_crop(image, tile.crop, self.device), position)
        scores = score_maps[0]
        maxima = self.network.suppress_non_maxima(apply_mask(scores, allowed))
        pixels, ranks = self.network.ranked_candidates(maxima, features[0])
        positions = pixel_coordinates(pixels, scores.shape[1])
        order = self._select(positions, ranks, tile.core.relative_to(tile.crop), found)
        selected = pixels[order]
        detection = self.network.keypoints_at(selected, scores, features[0], mask=allowed, tile=position)
        offset = torch.tensor(tile.crop[:2], dtype=torch.int64, device=self.device)
        return Candidates(
            pixels=positions[order] + offset,
            ranks=ranks[order],
            keypoints=detection.keypoints + offset,
            scores=detection.scores,
            descriptors=detection.descriptors,
        )

    def _select(self, positions: Tensor, ranks: Tensor, core: Box, found: Candidates) -> Tensor:
        """Return the indices of the top-k candidates in the core that can still enter the top k of the image."""
        inside = _inside(positions, core, margin=0).nonzero().squeeze(1)
        selected = inside[top_k(ranks[inside], self.max_keypoints, self.detection_threshold)]
        if 0 < len(found.ranks) == self.max_keypoints:
            selected = selected[ranks[selected] >= found.ranks[-1]]
        return selected

    def _merge(self, found: Candidates, new: Candidates, core: Box) -> Candidates:
        """Return the top k of both, after non-maximum suppression across the border of the core."""
        suppressed_found, suppressed_new = _suppress_across(found, new, core, self.network.nms_radius)
        both = _concatenate(_take(found, ~suppressed_found), _take(new, ~suppressed_new))
        ordered = _take(both, _raster_order(both.pixels))  # so that ties go to the lower index
        order = ordered.ranks.argsort(descending=True, stable=True)
        return _take(ordered, order[: self.max_keypoints])


def _suppress_across(found: Candidates, new: Candidates, core: Box, radius: int) -> tuple[Tensor, Tensor]:
    """Mark keypoints outside and inside the core with a higher-scoring neighbor across its border within `radius`."""
    near_core = _inside(found.pixels, core, margin=radius)
    near_border = ~_inside(new.pixels, core, margin=-radius)
    outer, inner = _take(found, near_core), _take(new, near_border)
    distances = (outer.pixels[:, None] - inner.pixels).abs().amax(dim=2)
    differences = outer.ranks[:, None] - inner.ranks
    close = distances <= radius
    suppressed_found, suppressed_new = torch.zeros_like(near_core), torch.zeros_like(near_border)
    suppressed_found[near_core] = (close & (differences < 0)).any(dim=1)
    suppressed_new[near_border] = (close & (differences > 0)).any(dim=0)
    return suppressed_found, suppressed_new


def _raster_order(pixels: Int[Tensor, "n 2"]) -> Int[Tensor, "n"]:
    x, y = pixels.unbind(dim=1)
    return (y * RASTER_STRIDE + x).argsort()


def _inside(pixels: Tensor, box: Box, margin: int) -> Tensor:
    """Mark pixels (x, y) inside the box after growing it by `margin` px on each side; negative margins shrink it."""
    low = pixels.new_tensor([box.left - margin, box.top - margin])
    high = pixels.new_tensor([box.right + margin, box.bottom + margin])
    return ((pixels >= low) & (pixels < high)).all(dim=1)


def _crop(image: Image, box: Box, device: torch.device) -> Float32[Tensor, "1 3 h w"]:
    part = Image(pixels=image.pixels[:, *box.slices])
    return ImageTransform.fit(part.image_size, None).apply(part)[None].to(device)


def _tile_position(tile: GridTile, image: Image) -> Tile:
    return Tile(tile.crop.left, tile.crop.top, image.image_size, tile.core)


def _no_candidates(descriptor_dim: int, device: torch.device) -> Candidates:
    pixels = torch.zeros((0, 2), dtype=torch.int64, device=device)
    empty = torch.zeros((0, 2), dtype=torch.float32, device=device)
    return Candidates(pixels, empty[:, 0], empty, empty[:, 0], empty.new_zeros(0, descriptor_dim))


def _take(candidates: Candidates, index: Tensor) -> Candidates:
    return Candidates(*(column[index] for column in candidates))


def _concatenate(first: Candidates, second: Candidates) -> Candidates:
    return Candidates(*(torch.cat(pair) for pair in zip(first, second, strict=True)))
