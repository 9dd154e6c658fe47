"""Extractors of two networks as ONNX models: the keypoints and descriptors of the networks.

Open sizes agree, too, but translating their graphs takes three quarters of a minute each.
"""

from pathlib import Path

import onnxruntime
import pytest
import torch
from tests.helpers.shape_checks import without_shape_checks
from tests.helpers.tiny_detectors import noise, tiny_dad_dedode, tiny_raco_aliked

from tiepoint.exporting.extractor_graphs import extractor_graph
from tiepoint.exporting.onnx_models import save_onnx, to_onnx

COUNT = 20
SIZE = (96, 64)


@pytest.mark.slow
@pytest.mark.parametrize("make", [tiny_raco_aliked, tiny_dad_dedode])
def test_onnx_agrees_with_the_network(make: object, tmp_path: Path) -> None:
    network = make()  # type: ignore[operator]
    with without_shape_checks():
        model = to_onnx(extractor_graph(network, max_keypoints=COUNT, image_size=SIZE))
    save_onnx(model, tmp_path / "extractor.onnx", {})
    session = onnxruntime.InferenceSession(tmp_path / "extractor.onnx")
    image = noise(SIZE[1], SIZE[0])
    with torch.inference_mode():
        (expected,) = network(image, max_keypoints=COUNT)
    found = session.run(None, {"image": image.numpy()})
    for column, other in zip(found, expected, strict=True):
        torch.testing.assert_close(torch.from_numpy(column), other, rtol=0, atol=1e-4)
