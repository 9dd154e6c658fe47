import pytest
import torch
from tests.helpers.compat_lightglue import feature_pair, pad_batch

from tiepoint.compat.lightglue.batches import ImageBatch
from tiepoint.errors import InvalidInput
from tiepoint.models.lightglue.network import LightGlueShape, normalize_keypoints

SHAPE = LightGlueShape(input_dim=64)


def test_padding_is_no_keypoint() -> None:
    image0, image1 = feature_pair((3, 5))
    batch = ImageBatch.from_dictionary(pad_batch([image0, image1]), "image0", SHAPE)
    assert batch.counts == [3, 5]
    assert torch.equal(batch.descriptors(0), image0["descriptors"][0])
    assert torch.equal(
        batch.positions(0), normalize_keypoints(image0["keypoints"][0], image0["image_size"][0])
    )


def test_without_image_size_the_extent_of_the_keypoints_is_used() -> None:
    image, _ = feature_pair((6, 1))
    del image["image_size"]
    batch = ImageBatch.from_dictionary(image, "image0", SHAPE)
    assert torch.equal(batch.positions(0), normalize_keypoints(image["keypoints"][0]))


def test_image_size_may_be_a_list() -> None:
    image, _ = feature_pair((6, 1))
    listed = ImageBatch.from_dictionary(image | {"image_size": [[640, 480]]}, "image0", SHAPE)
    expected = ImageBatch.from_dictionary(image, "image0", SHAPE)
    assert torch.equal(listed.positions(0), expected.positions(0))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"keypoints": torch.rand(6, 2)}, "any, any, 2"),
        ({"descriptors": torch.rand(1, 6, 63)}, "1, 6, 64"),
        ({"image_size": torch.ones(2, 2)}, "image_size"),
        ({"mask": torch.tensor([[True, False, True, True, True, True]])}, "padding"),
    ],
)
def test_shapes_that_do_not_agree(changes: dict, message: str) -> None:
    image, _ = feature_pair((6, 1))
    with pytest.raises(InvalidInput, match=message):
        ImageBatch.from_dictionary(image | changes, "image1", SHAPE)
