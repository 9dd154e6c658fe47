"""Masks of pairs: polygons that keep or ignore what is inside."""

from typing import Any

import pytest
from tests.helpers.app_server import Client, dots_pair

from tiepoint.app.messages import RequestError
from tiepoint.app.pairs import Mask, parse_mask


@pytest.mark.parametrize("value", [None, {}, {"polygons": []}])
def test_no_mask(value: Any) -> None:
    assert parse_mask(value, "mask0") is None


def test_a_mask() -> None:
    triangle = [[0, 0], [1, 0], [0, 1]]
    assert parse_mask({"polygons": [triangle]}, "m") == Mask(polygons=[triangle])
    assert parse_mask({"polygons": [triangle], "inside": False}, "m") == Mask(
        polygons=[triangle], keep_inside=False
    )


@pytest.mark.parametrize(
    "value",
    [3, [1], {"polygons": 3}, {"polygons": [{}]}, {"polygons": [[]] * 51}, {"polygons": [[[0, 0]] * 5001]}],
)
def test_invalid_masks(value: Any) -> None:
    with pytest.raises(RequestError, match="mask1: "):
        parse_mask(value, "mask1")


def test_masks_are_polygons(client: Client) -> None:
    left = [[[0, 0], [139.6, 0], [139.6, 480], [0, 480]]]
    counts = []
    for inside in (True, False):
        state = client.finish(client.submit(mask0={"polygons": left, "inside": inside})["id"])
        counts.append(state["result"]["keypoints"][0])
    assert sum(counts) == 80
    assert min(counts) > 10
    for mask in ({"polygons": 3}, {"polygons": [[[0, 0]] * 6000]}, [1], {"polygons": [{}]}):
        ids = [client.upload(content) for content in dots_pair()]
        values = {"kind": "match", "image0": ids[0], "image1": ids[1], "mask0": mask}
        assert client.post_json("/jobs", values).status == 422
    state = client.finish(client.submit(mask0={"polygons": [[["x"]]]})["id"])
    assert (state["state"], "mask0" in state["error"]) == ("failed", True)
