# The public names: `__init__.py` resolves them lazily from this stub.
from .epipolar import (
    draw_epipolar_lines as draw_epipolar_lines,
)
from .inliers import (
    draw_inliers as draw_inliers,
)
from .matches import (
    draw_matches as draw_matches,
)
from .overlays import (
    OverlayMode as OverlayMode,
    draw_overlay as draw_overlay,
)
from .panorama import (
    draw_panorama as draw_panorama,
)
from .saving import (
    IMAGE_FORMATS as IMAGE_FORMATS,
    check_image_path as check_image_path,
    check_image_size as check_image_size,
    save_image as save_image,
)
from .selection import (
    MAX_LINES as MAX_LINES,
)

__all__: list[str]
