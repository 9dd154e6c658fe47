# The public names: `__init__.py` resolves them lazily from this stub.
from .camera import (
    CAMERA_MODELS as CAMERA_MODELS,
    Camera as Camera,
    CameraSource as CameraSource,
)
from .correspondences import (
    Correspondences as Correspondences,
    HasCorrespondences as HasCorrespondences,
    ImageInfo as ImageInfo,
    as_correspondences as as_correspondences,
)
from .features import (
    MAX_OUTSIDE_PX as MAX_OUTSIDE_PX,
    Assignment as Assignment,
    Features as Features,
    StoppedBy as StoppedBy,
    describe as describe,
)
from .two_view import (
    PLANAR_KINDS as PLANAR_KINDS,
    Kind as Kind,
    TwoViewEstimate as TwoViewEstimate,
)

__all__: list[str]
