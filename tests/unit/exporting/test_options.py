"""Options of the export: unknown and invalid values are one clear line."""

from typing import Any

import pytest
from tests.helpers.shape_checks import without_shape_checks

from tiepoint.errors import InvalidInput
from tiepoint.exporting.options import ExportOptions


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"target": "tensorrt"}, r"unknown target 'tensorrt'; available: onnx, openvino, opencv"),
        ({"target": "opencv", "form": "adaptive"}, r"form 'adaptive' is unsupported for OpenCV"),
        ({"form": "half"}, r"unknown form 'half'"),
        ({"precision": "int8"}, r"unknown precision 'int8'"),
        ({"image_size": (640, 0)}, r"image_size: expected \(width, height\)"),
        ({"max_keypoints": 0}, r"max_keypoints must be an integer of at least 1"),
    ],
)
def test_invalid_values(values: dict[str, Any], message: str) -> None:
    with without_shape_checks(), pytest.raises(InvalidInput, match=message):  # the checks know literals, too
        ExportOptions(**values)


def test_opencv_takes_one_portable_graph() -> None:
    options = ExportOptions(target="opencv")
    assert (options.form, options.portable) == ("single", True)
