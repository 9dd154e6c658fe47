"""XFeat: a small network for CPUs, with keypoints from 8 x 8 px cells and 64 descriptor values per keypoint.

Source: G. Potje et al., "XFeat: Accelerated Features for Lightweight Image Matching", CVPR 2024 (arXiv 2404.19174).

The batch norms of the published network have no parameters of their own: `build` folds them into the convolutions, so
that the network here consists of convolutions with biases. XFeat* (dense matching) and its fine matcher are left out.

The positions at which reliability and descriptors are sampled are those of the authors' code: `sampling_positions`
explains how they differ from the pixels.
"""

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int, Num
from torch import Tensor, nn

from tiepoint.models.checkpoint import check_names, load_strictly
from tiepoint.models.detector import Detector
from tiepoint.models.keypoints import (
    Detection,
    bicubic_neighbors,
    flatten_spatial,
    has_contrast,
    pixel_coordinates,
    sample_bilinear,
    weighted_row_sum,
    window_maximum,
)
from tiepoint.models.precision import at_least_float32, network_dtype, normalize_rows
from tiepoint.models.tile import Tile
from tiepoint.models.tracing import is_tracing

CELL = 8  # side in px of the cells of the coarse maps
STRIDE = 32  # side in px of the cells of the coarsest map; the network processes multiples of it
LANES = 4  # pixels of a row that the first convolution takes as its channels
RADIUS = 2  # radius of non-maximum suppression in px
DESCRIPTOR_DIM = 64
HEATMAP_THRESHOLD = (
    0.05  # minimum probability (exclusive) of a keypoint, before it is weighted by its reliability
)
NORM_EPSILON = 1e-5  # added to variances, in the instance norm of the image and in the folded batch norms

# Parts of the published file that the network here does not have, and the names of its convolutions
IGNORED_NAMES = re.compile(r"fine_matcher\..*|.*\.num_batches_tracked")
PUBLISHED_CONV = re.compile(r"(?P<block>.+)\.layer\.0\.weight")


class CellMaps(NamedTuple):
    """Coarse maps of one image, with one row per cell of 8 x 8 px in raster order.

    Attributes:
        descriptors: Unit-length descriptors, shape (cells, 64).
        reliability: Reliability in [0, 1], shape (cells, 1).
        grid_size: Number of cells (columns, rows).
    """

    descriptors: Float[Tensor, "cells 64"]
    reliability: Float[Tensor, "cells 1"]
    grid_size: tuple[int, int]


class XFeat(Detector):
    """Images in, keypoints at integer pixels, scores in [0, 1] and descriptors out.

    The score of a keypoint is its probability times its reliability. The instance norm of tiles uses the statistics of
    the whole image (`global_context`), as far as the tiles are known.
    """

    stride, nms_radius, size_multiple = STRIDE, RADIUS, STRIDE
    bytes_per_pixel = 100

    def __init__(self) -> None:
        super().__init__()
        self.skip1 = nn.Conv2d(1, 24, 1)
        self.block1 = _block((1, 4), (4, 8, 2), (8, 8), (8, 24, 2))
        self.block2 = _block((24, 24), (24, 24))
        self.block3 = _block((24, 64, 2), (64, 64), (64, 64, 1, 1))
        self.block4 = _block((64, 64, 2), (64, 64), (64, 64))
        self.block5 = _block((64, 128, 2), (128, 128), (128, 128), (128, 64, 1, 1))
        self.block_fusion = _block((64, 64), (64, 64)).append(nn.Conv2d(64, DESCRIPTOR_DIM, 1))
        self.heatmap_head = _block((64, 64, 1, 1), (64, 64, 1, 1)).append(nn.Conv2d(64, 1, 1))
        self.keypoint_head = _block(*[(64, 64, 1, 1)] * 3).append(nn.Conv2d(64, CELL * CELL + 1, 1))

    @property
    def descriptor_dim(self) -> int:
        """Descriptor dimension."""
        return DESCRIPTOR_DIM

    def forward(
        self,
        images: Float[Tensor, "b c h w"],
        *,
        max_keypoints: int | None = 2048,
        detection_threshold: float = 0.0,
        masks: Bool[Tensor, "b h w"] | None = None,
    ) -> list[Detection]:
        """Detect and describe keypoints.

        Args:
            images: Gray or RGB images in [0, 1] of any size, shape (b, 1 or 3, h, w); they are resized to the next
                lower multiples of 32 px, at least 32. Blank images have no keypoints.
            max_keypoints: Maximum number of keypoints per image, highest scores first; None keeps all.
            detection_threshold: Minimum score (exclusive), in [0, 1].
            masks: Masks, shape (b, h, w), True where keypoints are allowed; None allows them everywhere.

        Returns:
            One detection per image, with keypoints in px of the images as given; float32 even if the network runs in
            half precision.

        Raises:
            InvalidInput: If `max_keypoints` is negative.
        """
        images, shape = _to_gray(images), images.shape[-2:]
        height, width = (max(side // STRIDE, 1) * STRIDE for side in shape)
        if (height, width) != shape:
            images = F.interpolate(images, (height, width), mode="bilinear", align_corners=False)
            masks = None if masks is None else _resize_masks(masks, (height, width))
        detections = super().forward(
            images, max_keypoints=max_keypoints, detection_threshold=detection_threshold, masks=masks
        )
        scale = torch.tensor([shape[1] / width, shape[0] / height], dtype=torch.float32, device=images.device)
        return [one._replace(keypoints=one.keypoints * scale.to(one.keypoints)) for one in detections]

    def dense_maps(
        self, images: Float[Tensor, "b c h w"], tile: Tile | None = None
    ) -> tuple[Float[Tensor, "b h w"], list[CellMaps]]:
        """Compute the keypoint probabilities of all pixels, and the coarse maps of descriptors and reliability.

        Args:
            images: Gray or RGB images in [0, 1], shape (b, c, h, w); both sides multiples of 32.
            tile: Position of the images in a larger image that is not blank.

        Returns:
            Probability maps, shape (b, h, w), and one set of coarse maps per image.
        """
        x = _instance_norm(_to_gray(images), None if tile is None else tile.context).to(network_dtype(self))
        features = self._features(x)
        probabilities = _keypoint_probabilities(self.keypoint_head(_split_cells(x)))
        reliability = at_least_float32(self.heatmap_head(features)).sigmoid()
        if tile is None:
            probabilities = probabilities * has_contrast(images)[:, None, None]
        return probabilities, [_cell_maps(*maps) for maps in zip(features, reliability, strict=True)]

    def _features(self, x: Float[Tensor, "b 1 h w"]) -> Float[Tensor, "b 64 y x"]:
        """Fuse the maps at 1/8, 1/16 and 1/32 of the image; the descriptors before normalization."""
        x1 = self.block1(x) if is_tracing() else self.block1[1:](self._first_conv(x))
        x2 = self.block2(x1 + self._skip(x))
        x3 = self.block3(x2)
        x4 = self.block4(x3)
        x5 = self.block5(x4)
        upsampled = [F.interpolate(m, x3.shape[-2:], mode="bilinear", align_corners=False) for m in (x4, x5)]
        return self.block_fusion(x3 + upsampled[0] + upsampled[1])

    def _first_conv(self, x: Float[Tensor, "b 1 h w"]) -> Float[Tensor, "b 4 h w"]:
        """Apply the first convolution with ReLU to `LANES` neighbors of a row at once, which are its channels.

        In channels-last memory format this needs no copies, and convolutions with a single channel are slow.
        """
        weight, bias = (self.block1.get_parameter(f"0.0.{name}") for name in ("weight", "bias"))
        # (4, 1, 3, 3) -> LANES x (4, 3, 3 * LANES): the kernel of each lane, in a window of three groups of pixels
        kernels = [F.pad(weight[:, 0], (LANES - 1 + i, 2 * LANES - 2 - i)) for i in range(LANES)]
        kernel = torch.cat(kernels).unflatten(2, (3, LANES)).permute(0, 3, 1, 2)
        groups = x[:, 0].unflatten(2, (-1, LANES)).permute(0, 3, 1, 2)  # (b, LANES, h, w / LANES)
        maps = F.conv2d(groups, kernel, bias.repeat(LANES), padding=1).permute(0, 2, 3, 1)
        return maps.unflatten(3, (LANES, -1)).flatten(2, 3).permute(0, 3, 1, 2).relu_()

    def _skip(self, x: Float[Tensor, "b 1 h w"]) -> Float[Tensor, "b 24 y x"]:
        """Average 4 x 4 px and apply `skip1`, as one convolution with stride 4."""
        return F.conv2d(x, self.skip1.weight.expand(-1, -1, 4, 4) / 16, self.skip1.bias, stride=4)

    def suppress_non_maxima(self, scores: Float[Tensor, "h w"]) -> Float[Tensor, "h w"]:
        """Return the probabilities of keypoint candidates, and zero at all other pixels; plateaus are kept.

        As in the authors' code, the last row, the last column and the first pixel have no keypoints.
        """
        scores = scores.detach()
        maxima = scores.masked_fill(scores != window_maximum(scores, RADIUS), 0)
        maxima[-1], maxima[:, -1], maxima[0, 0] = 0, 0, 0
        return F.threshold(maxima, HEATMAP_THRESHOLD, 0)

    def rank(
        self, pixels: Int[Tensor, "n"], scores: Float[Tensor, "h w"], features: CellMaps
    ) -> Float[Tensor, "n"]:
        """Return the probability of each keypoint times its reliability."""
        keypoints = pixel_coordinates(pixels, scores.shape[1])
        positions = sampling_positions(keypoints, scores.shape, features.grid_size)
        reliability = sample_bilinear(features.reliability, positions, *features.grid_size)[:, 0]
        return scores.flatten()[pixels] * reliability

    def keypoints_at(
        self,
        pixels: Int[Tensor, "n"],
        scores: Float[Tensor, "h w"],
        features: CellMaps,
        *,
        mask: Bool[Tensor, "H W"] | None = None,
        tile: Tile | None = None,
    ) -> Detection:
        """Describe keypoints at given pixels.

        Args:
            pixels: Raster indices into the probability map, shape (n,).
            scores: Probability map of the image, shape (h, w).
            features: Coarse maps of the image.
            mask: Not used; keypoints stay at their pixels.
            tile: Not used.
        """
        keypoints = pixel_coordinates(pixels, scores.shape[1])
        return Detection(
            keypoints=keypoints.to(scores.dtype),
            scores=self.rank(pixels, scores, features),
            descriptors=self.describe_at(features, keypoints, scores.shape),
        )

    def describe_at(
        self, features: CellMaps, keypoints: Num[Tensor, "n 2"], shape: tuple[int, ...]
    ) -> Float[Tensor, "n d"]:
        """Describe an image at given keypoints, which may be between pixels.

        Args:
            features: Coarse maps of the image.
            keypoints: Positions (x, y) in px, shape (n, 2).
            shape: Shape (height, width) of the image.
        """
        positions = sampling_positions(keypoints, shape, features.grid_size)
        neighbors = bicubic_neighbors(positions, *features.grid_size)
        return normalize_rows(weighted_row_sum(features.descriptors, *neighbors))

    def global_context(self, parts: Iterable[tuple[Float[Tensor, "1 c h w"], Tile]]) -> Tensor | None:
        """Return the mean and the variance of the gray values of the whole image, shape (2,).

        Args:
            parts: Image crops, shape (1, c, h, w), and positions of all tiles.
        """
        sums = torch.zeros(3, dtype=torch.float64, device="cpu")
        for crop, tile in parts:
            left, top, right, bottom = tile.core
            inside = crop[..., top - tile.top : bottom - tile.top, left - tile.left : right - tile.left]
            gray = _to_gray(inside).double()
            sums += torch.stack([gray.new_tensor(gray.numel()), gray.sum(), gray.square().sum()]).cpu()
        count, total, squares = sums
        mean = total / count
        return torch.stack([mean, squares / count - mean.square()])


def build(state: Mapping[str, Tensor]) -> XFeat:
    """Build the network from a checkpoint, in evaluation mode.

    Args:
        state: Tensors of the published file, with batch norms, or of an `XFeat`.

    Raises:
        WeightsError: If a tensor is missing, unexpected, or has the wrong shape.
    """
    with torch.device("meta"):
        network = XFeat()
    is_published = any(PUBLISHED_CONV.fullmatch(name) for name in state)
    load_strictly(network, fold_batch_norms(state) if is_published else state, "XFeat")
    return network.eval()


def fold_batch_norms(published: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Convert the published file to the parameters of `XFeat`.

    Args:
        published: Tensors by their published names.

    Raises:
        WeightsError: If the statistics of a batch norm are missing.
    """
    state = {name: tensor for name, tensor in published.items() if not IGNORED_NAMES.fullmatch(name)}
    convs = [match["block"] for name in state if (match := PUBLISHED_CONV.fullmatch(name))]
    norms = {f"{conv}.layer.1.{part}" for conv in convs for part in ("running_mean", "running_var")}
    check_names(norms, {name for name in state if ".layer.1." in name}, "XFeat (published names)")
    folded: dict[str, Tensor] = {}
    for conv in convs:
        weight = state.pop(f"{conv}.layer.0.weight")
        mean, variance = (
            state.pop(f"{conv}.layer.1.{part}").double() for part in ("running_mean", "running_var")
        )
        scale = (variance + NORM_EPSILON).rsqrt()
        folded[f"{conv}.0.weight"] = (weight.double() * scale[:, None, None, None]).to(weight.dtype)
        folded[f"{conv}.0.bias"] = (-mean * scale).to(weight.dtype)
    return folded | {name.replace("skip1.1.", "skip1."): tensor for name, tensor in state.items()}


def sampling_positions(
    keypoints: Num[Tensor, "n 2"], shape: tuple[int, ...], grid_size: tuple[int, int]
) -> Float[Tensor, "n 2"]:
    """Return the positions (x, y) in cells at which the authors' code samples the coarse maps.

    It maps the first and the last pixel to the outer borders of the first and the last cell, instead of to points half
    a pixel inside: positions are off by up to 1/16 of a cell, and those of the last row and column are outside.

    Args:
        keypoints: Positions (x, y) in px of the probability map, shape (n, 2).
        shape: Shape (height, width) of the probability map.
        grid_size: Number of cells (columns, rows).
    """
    height, width = shape
    last = torch.tensor([width - 1, height - 1], dtype=torch.float32, device=keypoints.device)
    normalized = 2 * (keypoints / last) - 1
    cells = torch.tensor(grid_size, dtype=torch.float32, device=keypoints.device)
    return ((normalized + 1) * cells - 1) / 2


def _block(*convs: tuple[int, ...]) -> nn.Sequential:
    """Build convolutions with ReLU; each is (inputs, outputs[, stride[, kernel size]])."""
    return nn.Sequential(*(_conv(*conv) for conv in convs))


def _conv(inputs: int, outputs: int, stride: int = 1, kernel: int = 3) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=kernel // 2)
    return nn.Sequential(conv, nn.ReLU(inplace=True))


def _to_gray(images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b 1 h w"]:
    images = at_least_float32(images)
    return images if images.shape[1] == 1 else images.mean(dim=1, keepdim=True)


def _instance_norm(gray: Float[Tensor, "b 1 h w"], context: Tensor | None) -> Float[Tensor, "b 1 h w"]:
    """Normalize gray images by their own mean and variance, or by those of the whole image that tiles are from."""
    if context is not None:
        mean, variance = context.to(gray)
        return (gray - mean) * (variance + NORM_EPSILON).rsqrt()
    centered = gray - gray.mean(dim=(2, 3), keepdim=True)
    variance = centered.square().mean(dim=(2, 3), keepdim=True)
    return centered * (variance + NORM_EPSILON).rsqrt()


def _split_cells(x: Float[Tensor, "b 1 h w"]) -> Float[Tensor, "b 64 y x"]:
    """`pixel_unshuffle` into cells of 8 x 8 px, in channels-last memory format."""
    rows = x[:, 0].unflatten(1, (-1, CELL)).unflatten(3, (-1, CELL))  # (b, y, 8, x, 8)
    return rows.transpose(2, 3).flatten(3).permute(0, 3, 1, 2)


def _keypoint_probabilities(logits: Float[Tensor, "b 65 y x"]) -> Float[Tensor, "b h w"]:
    """Softmax over the pixels of each cell and "no keypoint"; then each cell becomes 8 x 8 px."""
    cells = at_least_float32(logits.permute(0, 2, 3, 1)).softmax(-1)[..., : CELL * CELL]
    pixels = cells.unflatten(-1, (CELL, CELL)).transpose(2, 3)  # (b, y, x, 8, 8) -> (b, y, 8, x, 8)
    return pixels.flatten(3, 4).flatten(1, 2)


def _cell_maps(features: Float[Tensor, "64 y x"], reliability: Float[Tensor, "1 y x"]) -> CellMaps:
    rows, columns = features.shape[1:]
    descriptors = normalize_rows(flatten_spatial(features))
    return CellMaps(descriptors, flatten_spatial(reliability), (columns, rows))


def _resize_masks(masks: Bool[Tensor, "b h w"], shape: tuple[int, int]) -> Bool[Tensor, "b H W"]:
    """Resize masks; a resized pixel is allowed if all original pixels that it covers are allowed."""
    return F.adaptive_max_pool2d((~masks).float(), shape) == 0
