"""Random features correspond, with noise."""

from tests.helpers.tiny_bundles import KIND

from tiepoint.exporting.random_features import as_inputs, random_pair


def test_random_pairs_correspond() -> None:
    features0, features1 = random_pair(40, 30, 16, kind=KIND)
    assert (len(features0), len(features1), features0.kind) == (40, 30, KIND)
    similarity = features0.descriptors @ features1.descriptors.T
    assert (similarity.amax(0) > 0.7).float().mean() > 0.9
    assert as_inputs(features1).image_size == features1.image_size
    assert len(as_inputs(features1)) == 30
