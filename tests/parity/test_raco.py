"""RaCo with random weights against outputs of its authors' code, recorded once (`tests.helpers.raco_reference`)."""

import pytest
import torch
from tests.helpers.raco_reference import MAX_KEYPOINTS, SIZES, random_image, random_weights, recorded

from tiepoint.models.raco import RaCo, RaCoConfig, build


@pytest.fixture(scope="module")
def network() -> RaCo:
    with torch.device("meta"):
        shapes = {name: tensor.shape for name, tensor in RaCo(RaCoConfig()).state_dict().items()}
    return build(random_weights(shapes))


@pytest.mark.parametrize("index", range(len(SIZES)))
@torch.inference_mode()
def test_keypoints_scores_ranking_and_covariances(network: RaCo, index: int):
    expected, images = recorded(index), random_image(index)[None]
    (found,) = network(images, max_keypoints=MAX_KEYPOINTS[index])
    # theirs may lie up to half a pixel outside of the image
    last = torch.tensor(SIZES[index][::-1]) - 1
    keypoints = (expected["keypoints"] - 0.5).clamp(min=0).minimum(last)
    torch.testing.assert_close(found.keypoints, keypoints, rtol=0, atol=1e-4)
    torch.testing.assert_close(found.scores, expected["keypoint_scores"], rtol=0, atol=1e-5)
    _, (features,) = network.dense_maps(images)
    ranks = network.ranker_scores(features.maps, keypoints)
    torch.testing.assert_close(ranks, expected["ranker_scores"], rtol=1e-4, atol=2e-3)
    assert float(expected["ranker_scores"].std()) > 50  # the scale of these tolerances
    covariances = network.covariances(features.maps, keypoints)
    torch.testing.assert_close(covariances, expected["covariances"], rtol=1e-4, atol=1e-4)
