"""RaCo: heads that a checkpoint may lack, images of any size, covariances, invalid weights."""

from dataclasses import replace

import pytest
import torch
from tests.helpers.tiny_detectors import RACO, noise, tiny_dad, tiny_raco

from tiepoint.errors import InvalidInput, WeightsError
from tiepoint.models.raco import COVARIANCES, RANKER, RaCo, RaCoConfig, build


@pytest.fixture(scope="module")
def published() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return RaCo(RaCoConfig()).state_dict()


@pytest.mark.parametrize("missing", [(), (RANKER,), (COVARIANCES,), (RANKER, COVARIANCES)])
@torch.inference_mode()
def test_heads_are_those_of_the_checkpoint(published: dict[str, torch.Tensor], missing: tuple[str, ...]):
    network = build(
        {name: tensor for name, tensor in published.items() if not name.startswith(missing or "-")}
    )
    assert not network.training
    _, (features,) = network.dense_maps(noise(40, 50))
    keypoints = torch.tensor([[1.5, 2.0], [49, 39]])
    for name, head in ((RANKER, network.ranker_scores), (COVARIANCES, network.covariances)):
        if name in missing:
            with pytest.raises(InvalidInput, match=name):
                head(features.maps, keypoints)
        else:
            assert bool(head(features.maps, keypoints).isfinite().all())


@pytest.mark.parametrize("size", [(1, 1), (3, 40), (33, 65)])
@torch.inference_mode()
def test_images_of_any_size(size: tuple[int, int]):
    height, width = size
    (found,) = tiny_raco()(noise(*size), max_keypoints=None)
    assert bool((found.keypoints <= torch.tensor([width - 1, height - 1])).all())
    assert len(found.keypoints) >= (height * width > 1)


@torch.inference_mode()
def test_covariances_are_positive_definite():
    network = tiny_raco()
    _, (features,) = network.dense_maps(noise(64, 70))
    (found,) = network(noise(64, 70), max_keypoints=40)
    covariances = network.covariances(features.maps, found.keypoints)
    assert covariances.shape == (40, 2, 2)
    assert torch.equal(covariances, covariances.mT)
    assert float(torch.linalg.eigvalsh(covariances).min()) > 0


@torch.inference_mode()
def test_heads_do_not_change_the_keypoints():
    network = tiny_raco()
    bare = RaCo(replace(RACO, ranker_width=0, covariance_widths=()))
    bare.load_state_dict({name: t for name, t in network.state_dict().items() if name in bare.state_dict()})
    (expected,), (found,) = network(noise(40, 50)), bare.eval()(noise(40, 50))
    assert torch.equal(found.keypoints, expected.keypoints)


class TestWeights:
    def test_a_missing_tensor(self, published: dict[str, torch.Tensor]):
        state = {name: tensor for name, tensor in published.items() if name != "ranker_head.4.conv1.weight"}
        with pytest.raises(WeightsError, match=r"RaCo.*missing ranker_head\.4\.conv1\.weight"):
            build(state)

    def test_a_tensor_of_another_shape(self, published: dict[str, torch.Tensor]):
        with pytest.raises(WeightsError, match=r"conv2\.weight must have shape \(32, 32, 3, 3\)"):
            build(published | {"conv2.weight": torch.zeros(32, 32, 1, 1)})

    def test_weights_of_another_detector(self):
        with pytest.raises(WeightsError, match="cannot load RaCo weights"):
            build(tiny_dad().state_dict())
