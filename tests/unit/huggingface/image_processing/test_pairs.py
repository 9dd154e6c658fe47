"""Accepted forms of image pairs."""

import numpy as np
import pytest
from tests.helpers.image_processors import ACCEPTED, PAIR, both_processors

from tiepoint.errors import InvalidInput
from tiepoint.huggingface import LightGlueImageProcessor


@both_processors
@pytest.mark.parametrize(
    "images",
    [
        PAIR[0],
        "a.png",
        None,
        [],
        [PAIR[0]],
        [*PAIR, PAIR[0]],
        [PAIR, PAIR[0]],
        [PAIR, [PAIR[0]]],
        [[PAIR]],
        [PAIR[0], None],
        [PAIR[0], 3],
        [np.zeros((8, 8), np.uint8)] * 2,
        np.zeros((2, 8, 8, 3), np.uint8),
        [np.zeros((2, 8, 8, 3), np.uint8)] * 2,
        {"image0": PAIR[0], "image1": PAIR[1]},
    ],
)
def test_other_forms_are_rejected_with_a_list_of_accepted_ones(processor, images):
    for error in (InvalidInput, ValueError):
        with pytest.raises(error, match=ACCEPTED) as caught:
            processor(images)
        assert "\n" not in str(caught.value)


def test_other_types_are_type_errors_too():
    for images in (None, {"image0": PAIR[0]}, 3):
        with pytest.raises(TypeError, match=ACCEPTED):
            LightGlueImageProcessor()(images)
    for images in ([], "a.png", [PAIR[0]]):
        with pytest.raises(InvalidInput) as caught:
            LightGlueImageProcessor()(images)
        assert not isinstance(caught.value, TypeError)
