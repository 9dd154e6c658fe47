"""Extractor: a detector network with the interface of cvg/LightGlue's extractors."""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, ClassVar, Unpack, cast

import torch
from jaxtyping import Num
from torch import Tensor, nn

from tiepoint.compat.lightglue.dictionaries import FeatureDict, require_keys
from tiepoint.compat.lightglue.preprocessing import ImagePreprocessor, PreprocessOptions
from tiepoint.errors import InvalidInput
from tiepoint.huggingface.options import reject_unknown
from tiepoint.models.detector import Detector
from tiepoint.models.fusion import FusionCache, fuse_detector
from tiepoint.models.keypoints import Detection, top_k
from tiepoint.models.precision import ordinary_inference
from tiepoint.types import describe


class Extractor(nn.Module):
    """Base class of the extractors; they compute without gradients.

    Args:
        network: Detector network.
        conf: Options of the extractor by name; changes of `conf` take effect.
    """

    preprocess_conf: ClassVar[PreprocessOptions] = {"resize": 1024}
    """Default options of `extract`."""
    required_data_keys: ClassVar[list[str]] = ["image"]

    def __init__(self, network: Detector, conf: Mapping[str, Any]) -> None:
        super().__init__()
        self.network = network
        self.conf = SimpleNamespace(**conf)
        self._fusion_cache = FusionCache(fuse_detector)

    def extract(self, img: Num[Tensor, "*_"], **conf: Unpack[PreprocessOptions]) -> FeatureDict:
        """Resize images, detect and describe keypoints, and map them to the original images.

        Args:
            img: Image or batch of images, RGB or gray, values in [0, 1], shape (c, h, w) or (b, c, h, w).
            **conf: Options of `ImagePreprocessor`: resize (default 1024: longer side in px, also of smaller images;
                None keeps the size), side, align_corners, antialias.

        Returns:
            Features with a batch dimension; `utils.rbd` removes it.

        Raises:
            InvalidInput: If the image has another shape, or an option is unknown or invalid.
        """
        reject_unknown(f"{type(self).__name__}.extract", conf, PreprocessOptions.__annotations__)
        images = _check_images(img if img.ndim == 4 else img[None])
        options: PreprocessOptions = {**self.preprocess_conf, **conf}
        resized, scales = ImagePreprocessor(**options)(images)
        features = self.forward({"image": resized})
        features["keypoints"] = (features["keypoints"] + 0.5) / scales - 0.5
        size = torch.tensor([images.shape[-1], images.shape[-2]], dtype=torch.float32, device=images.device)
        features["image_size"] = size.expand(len(images), 2).clone()
        return features

    @ordinary_inference()
    def forward(self, data: Mapping[str, Any]) -> FeatureDict:
        """Detect and describe the keypoints of images as they are, without resizing.

        Args:
            data: Dictionary with "image": RGB or gray images in [0, 1], shape (b, c, h, w), without padding.

        Returns:
            Features in px of these images, without "image_size".

        Raises:
            InvalidInput: If the key is missing, or the images have another shape.
        """
        require_keys(type(self).__name__, data, self.required_data_keys)
        images = _check_images(data["image"])
        _check_no_padding(images, data.get("image_size"))
        network = cast(Detector, self._fusion_cache.fuse(self.network.eval()))
        scores, features = network.dense_maps(self._channels(images).to(_device(network)))
        detections = [self._detect(network, *maps) for maps in zip(scores, features, strict=True)]
        return _stack(detections, images)

    def _detect(self, network: Detector, scores: Tensor, features: Any) -> Detection:
        """Detect the keypoints of one image in the order of cvg/LightGlue."""
        candidates, ranks = network.ranked_candidates(self._suppress(network, scores), features)
        threshold = self._threshold(scores, ranks)
        selected = top_k(ranks, self._max_keypoints, threshold)
        if len(selected) == int((ranks > threshold).sum()):  # all of them: in raster order
            selected = selected.sort().values
        return network.keypoints_at(candidates[self._ordered(selected)], scores, features)

    @property
    def _max_keypoints(self) -> int | None:
        limit = self.conf.max_num_keypoints
        return limit if limit is not None and limit > 0 else None

    def _threshold(self, scores: Tensor, ranks: Tensor) -> float:
        """Return the minimum score of keypoints."""
        return self.conf.detection_threshold

    def _suppress(self, network: Detector, scores: Tensor) -> Tensor:
        return network.suppress_non_maxima(scores)

    def _ordered(self, selected: Tensor) -> Tensor:
        """Return the order of the selected keypoints, given by index into the candidates, which are in raster order."""
        return selected

    def _channels(self, images: Tensor) -> Tensor:
        return images.expand(-1, 3, -1, -1)


def _check_images(images: Tensor) -> Tensor:
    is_batch = isinstance(images, Tensor) and images.ndim == 4 and images.shape[1] in (1, 3)
    if not is_batch or not images.dtype.is_floating_point:
        raise InvalidInput(
            "expected images in [0, 1] of shape (c, h, w) or (b, c, h, w) with 1 or 3 channels, "
            f"got {describe(images)}; utils.load_image reads them"
        )
    return images


def _check_no_padding(images: Tensor, image_size: Any) -> None:
    """Check that the sizes of images, if they are given, are those of the batch."""
    if image_size is None:
        return
    expected = [images.shape[-1], images.shape[-2]]
    sizes = torch.as_tensor(image_size, dtype=torch.float32, device="cpu").reshape(-1, 2).tolist()
    if any(size != expected for size in sizes):
        raise InvalidInput(
            f"image_size: padded batches are not supported, got sizes (width, height) {sizes} in a batch of {expected}; "
            "extract each image on its own, or crop the padding"
        )


def _device(network: nn.Module) -> torch.device:
    return next(iter(network.state_dict().values())).device


def _stack(detections: list[Detection], images: Tensor) -> FeatureDict:
    """Stack the detections of a batch on the device of the images, padded to the largest number of keypoints."""
    keypoints, scores, descriptors = (
        nn.utils.rnn.pad_sequence(list(values), batch_first=True).to(images)
        for values in zip(*detections, strict=True)
    )
    features = FeatureDict(keypoints=keypoints, keypoint_scores=scores, descriptors=descriptors)
    counts = [len(detection.scores) for detection in detections]
    if len(set(counts)) > 1:
        lengths = torch.tensor(counts, dtype=torch.int64, device=images.device)
        positions = torch.arange(keypoints.shape[1], dtype=torch.int64, device=images.device)
        features["mask"] = positions < lengths[:, None]
    return features
