"""Images of any usual source become RGB tensors here, and here alone pixels and coordinates are scaled.

    reading    read_image: paths, URLs, PIL images, arrays and tensors -> Image
    transform  ImageTransform: resizing of pixels and keypoints
    rgb        Image: upright RGB pixels
    file       files, URLs and PIL images, and all that can be wrong with them
    pixels     rasters of any kind -> (3, h, w)

Keypoints are pixels (x, y) of the upright image; the center of the top-left pixel is (0, 0).
"""

from tiepoint.image.image import Image
from tiepoint.image.reading import ImageSource, read_image
from tiepoint.image.resize import MAX_RESIZE, ImageTransform

__all__ = ["MAX_RESIZE", "Image", "ImageSource", "ImageTransform", "read_image"]
