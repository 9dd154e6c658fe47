"""Images of any common source become RGB tensors here, and only here are pixels and coordinates scaled.

    reading        read_image: paths, URLs, encoded images, PIL images, arrays and tensors -> Image
    array_reading  read_array: the same without tensors -> ImageArray
    resize         ImageTransform: resizing of pixels and keypoints
    scaling        ImageScaling: the same for arrays; array_resize: its filter
    image          Image: upright RGB pixels as a tensor; image_array: as a NumPy array
    conversion     arrays of any common layout and depth -> (1, h, w) or (3, h, w)
    decoding       files, URLs and PIL images -> upright PIL images, or a one-line error
    download       images from http and https URLs
    data_url       images in data: URLs
    stretch        percentile stretch for images that use little of their range or exceed it
    opacity        which pixels of images with an alpha channel are visible
    opening        image headers without Pillow's global limits
    tiff           formats of samples that Pillow's modes do not tell
    exif           orientation, focal length and position
    listing        image files of a folder
    sample_pair    a stereo pair with ground truth
    rasters        Raster: images of any depth and number of bands, as they are; georeferencing: GeoTIFF tags
    resampling     images of any depth on another pixel grid; displacement: with smooth offsets

Keypoints are pixels (x, y) of the upright image; the center of the top-left pixel is (0, 0). Only reading, resize,
image and resampling use torch. tiepoint-runtime contains the modules that it needs of the others.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tiepoint.image.image import Image
    from tiepoint.image.reading import ImageSource, read_image
    from tiepoint.image.resize import MAX_RESIZE, ImageTransform

__all__ = ["MAX_RESIZE", "Image", "ImageSource", "ImageTransform", "read_image"]

_MODULES = {
    "Image": "image",
    "ImageSource": "reading",
    "ImageTransform": "resize",
    "MAX_RESIZE": "resize",
    "read_image": "reading",
}


def __getattr__(name: str) -> Any:
    """Import the names that need torch on first use."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
