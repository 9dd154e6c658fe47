"""Data types of all packages: frozen dataclasses, validated once.

    features         Features of one image, Assignment (output of a matcher)
    correspondences  Correspondences: matched points of a pair, the input of geometry
    camera           Camera: camera model and intrinsics
    two_view         TwoViewEstimate: two-view geometry, or the reason of its failure
    options          LoadOptions: keyword options of `tiepoint.load`

Coordinates are (x, y) in px of the upright image (after EXIF orientation); the center of the top-left pixel is (0, 0).
"""

# lazy_loader has no types
# pyright: reportMissingTypeStubs=false, reportUnknownVariableType=false

import lazy_loader

__getattr__, _, __all__ = lazy_loader.attach_stub(__name__, __file__)
