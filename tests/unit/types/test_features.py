"""Features: validated once; every error names the value and what to do."""

from collections.abc import Iterator
from dataclasses import FrozenInstanceError, replace
from typing import Any

import jaxtyping
import numpy as np
import pytest
import torch

from tiepoint.errors import InvalidInput
from tiepoint.types import MAX_OUTSIDE_PX, Assignment, Features, describe


@pytest.fixture(scope="module", autouse=True)
def no_shape_checker() -> Iterator[None]:
    """Disable the shape checker of the tests, so that errors are the library's own."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


def values(n: int = 3, **changes: Any) -> dict[str, Any]:
    """Arguments of valid features of a 640 x 480 image, with some of them changed."""
    keypoints = torch.stack([torch.linspace(0, 639, n), torch.linspace(0, 479, n)], dim=1)
    descriptors = torch.eye(n, 8)
    valid = {
        "keypoints": keypoints,
        "scores": torch.ones(n),
        "descriptors": descriptors,
        "image_size": (640, 480),
    }
    return valid | changes


def refusal(**changes: Any) -> str:
    with pytest.raises(InvalidInput) as error:
        Features(**values(**changes))
    message = str(error.value)
    assert "\n" not in message
    return message


class TestFeatures:
    @pytest.mark.parametrize("n", [0, 1, 3])
    def test_valid_values_are_kept(self, n: int):
        given = values(n, scales=torch.ones(n), orientations=torch.zeros(n), covariances=torch.ones(n, 2, 2))
        features = Features(**given)
        assert len(features) == n
        assert features.image_size == given.pop("image_size")
        assert all(getattr(features, name) is value for name, value in given.items())
        assert features.device == torch.device("cpu")

    def test_defaults(self):
        features = Features(**values())
        assert (features.kind, features.fingerprint, features.source, features.exif_orientation) == (
            "",
            "",
            None,
            1,
        )
        assert features.scales is None
        assert features.orientations is None
        assert features.covariances is None

    def test_are_frozen(self):
        with pytest.raises(FrozenInstanceError):
            Features(**values()).image_size = (1, 1)  # type: ignore[misc]

    def test_arguments_are_keyword_only(self):
        with pytest.raises(TypeError):
            Features(*values().values())  # type: ignore[misc]

    @pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
    def test_any_floating_point_type_is_accepted(self, dtype: torch.dtype):
        descriptors = torch.eye(3, 8).to(dtype)
        assert Features(**values(descriptors=descriptors)).descriptors.dtype == dtype

    @pytest.mark.parametrize("corner", [(-1.0, -1.0), (640.0, 480.0)])
    def test_keypoints_may_be_up_to_1_px_outside(self, corner: tuple[float, float]):
        assert MAX_OUTSIDE_PX == 1.0
        assert len(Features(**values(1, keypoints=torch.tensor([corner])))) == 1

    @pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16, ">f4"])
    def test_arrays_become_tensors(self, dtype: Any):
        arrays = {
            name: value.numpy().astype(dtype) for name, value in values().items() if name != "image_size"
        }
        arrays["descriptors"].setflags(write=False)
        features = Features(**arrays, image_size=(640, 480), scales=np.ones(3))
        expected = torch.float16 if dtype == np.float16 else torch.float32
        assert {value.dtype for _, value in features._tensors()} == {expected, torch.float32}
        assert torch.equal(features.descriptors.float(), values()["descriptors"])
        assert features.to("cpu") is features

    @pytest.mark.parametrize(
        "size", [[640, 480], np.array([640, 480]), torch.tensor([640, 480]), (np.int64(640), np.uint16(480))]
    )
    def test_image_sizes_become_integers(self, size: Any):
        image_size = Features(**values(image_size=size)).image_size
        assert image_size == (640, 480)
        assert [type(side) for side in image_size] == [int, int]

    def test_replacing_a_field_validates_again(self):
        with pytest.raises(InvalidInput, match="image_size"):
            replace(Features(**values()), image_size=(0, 480))


class TestFeaturesToDevice:
    def test_the_same_device_gives_the_same_object(self):
        features = Features(**values())
        assert features.to("cpu") is features
        assert features.to(torch.device("cpu")) is features

    def test_every_tensor_is_moved(self, monkeypatch: pytest.MonkeyPatch):
        """Test machines may have one device only, so calls of Tensor.to are recorded."""
        optional = {
            "scales": torch.ones(3),
            "orientations": torch.zeros(3),
            "covariances": torch.ones(3, 2, 2),
        }
        features = Features(**values(**optional), source="a.jpg")
        moved: list[tuple[int, object]] = []

        def record(tensor: torch.Tensor, device: object) -> torch.Tensor:
            moved.append((id(tensor), device))
            return tensor.clone()

        monkeypatch.setattr(torch.Tensor, "to", record)
        elsewhere = features.to("meta")
        names = ("keypoints", "scores", "descriptors", *optional)
        assert sorted(moved) == sorted((id(getattr(features, name)), "meta") for name in names)
        assert all(getattr(elsewhere, name) is not getattr(features, name) for name in names)
        assert (elsewhere.source, elsewhere.image_size) == ("a.jpg", (640, 480))


class TestErrors:
    @pytest.mark.parametrize(
        "size",
        [
            (0, 480),
            (640, -1),
            (640,),
            (640, 480, 3),
            (640.0, 480.0),
            (True, 480),
            np.array([640.0, 480.0]),
            None,
            640,
            "640x480",
        ],
    )
    def test_image_size(self, size: object):
        message = refusal(image_size=size)
        assert "(width, height)" in message
        assert repr(size) in message

    @pytest.mark.parametrize(
        ("keypoints", "given"),
        [
            (torch.zeros(3, 3), "(3, 3)"),
            (torch.zeros(3), "(3,)"),
            (torch.zeros(1, 3, 2), "(1, 3, 2)"),
            ([[0.0, 0.0]], "list"),
            (None, "NoneType"),
            (np.zeros((3, 3)), "(3, 3)"),
            (np.zeros((3, 2), object), "ndarray"),
        ],
    )
    def test_keypoints_of_another_shape(self, keypoints: object, given: str):
        message = refusal(keypoints=keypoints)
        assert "keypoints: expected a tensor of shape (n, 2)" in message
        assert given in message

    def test_integer_keypoints(self):
        assert "keypoints.float()" in refusal(keypoints=torch.zeros(3, 2, dtype=torch.int64))

    @pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
    @pytest.mark.parametrize("name", ["keypoints", "scores", "descriptors", "scales", "orientations"])
    def test_values_that_are_not_finite(self, name: str, value: float):
        given = values(scales=torch.ones(3), orientations=torch.zeros(3))
        given[name][1] = value
        message = refusal(**{name: given[name]})
        assert message.startswith(name)
        assert "NaN or infinite" in message

    @pytest.mark.parametrize("outside", [(-1.1, 0.0), (0.0, -1.1), (640.1, 0.0), (0.0, 480.1)])
    def test_keypoints_outside_the_image(self, outside: tuple[float, float]):
        message = refusal(keypoints=torch.tensor([(0.0, 0.0), outside, (1.0, 1.0)]))
        assert "1 of 3 keypoints are more than 1 px outside the 640 x 480 image" in message
        assert f"({outside[0]:.1f}, {outside[1]:.1f})" in message
        assert "(width, height)" in message

    def test_a_swapped_image_size_is_detected(self):
        assert "480 x 640" in refusal(image_size=(480, 640))

    @pytest.mark.parametrize(
        ("name", "value", "expected", "given"),
        [
            ("scores", torch.ones(2), "(3,)", "(2,)"),
            ("scores", torch.ones(3, 1), "(3,)", "(3, 1)"),
            ("scores", None, "(3,)", "NoneType"),
            ("scores", [1.0, 1.0, 1.0], "(3,)", "list"),
            ("descriptors", torch.ones(8, 3), "(3, d)", "(8, 3)"),
            ("descriptors", torch.ones(3), "(3, d)", "(3,)"),
            ("descriptors", None, "(3, d)", "NoneType"),
            ("scales", torch.ones(4), "(3,)", "(4,)"),
            ("orientations", torch.ones(3, 2), "(3,)", "(3, 2)"),
            ("covariances", torch.ones(3, 3), "(3, 2, 2)", "(3, 3)"),
            ("covariances", torch.ones(2, 2, 2), "(3, 2, 2)", "(2, 2, 2)"),
        ],
    )
    def test_values_per_keypoint_of_another_shape(self, name: str, value: object, expected: str, given: str):
        message = refusal(**{name: value})
        assert message.startswith(name)
        assert expected in message
        assert given in message

    @pytest.mark.parametrize("name", ["scores", "descriptors", "scales", "orientations"])
    def test_integer_values_per_keypoint(self, name: str):
        whole = torch.ones((3, 8) if name == "descriptors" else 3, dtype=torch.int64)
        message = refusal(**{name: whole})
        assert message.startswith(name)
        assert f"{name}.float()" in message
        assert "int64" in message

    @pytest.mark.parametrize("name", ["scores", "descriptors", "scales", "orientations"])
    def test_values_on_another_device(self, name: str):
        elsewhere = torch.ones((3, 8) if name == "descriptors" else 3, device="meta")
        message = refusal(**{name: elsewhere})
        assert message.startswith(name)
        assert "meta" in message
        assert "cpu" in message


class TestMatches:
    def test_assignments_keep_their_values(self):
        matches = Assignment(
            matches=torch.tensor([[0, 1]]),
            scores=torch.tensor([0.5]),
            matching_scores0=torch.tensor([0.5, 0.0]),
            matching_scores1=torch.tensor([0.0, 0.5, 0.0]),
            prune0=torch.ones(2, dtype=torch.int64),
            prune1=torch.ones(3, dtype=torch.int64),
        )
        assert matches.layers_run == 0
        assert matches.matches.tolist() == [[0, 1]]
        with pytest.raises(FrozenInstanceError):
            matches.layers_run = 9  # type: ignore[misc]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "NoneType"),
        ([1], "list"),
        (torch.zeros(2, 3), "Tensor of shape (2, 3), torch.float32"),
        (torch.zeros(2).numpy(), "ndarray of shape (2,), float32"),
    ],
)
def test_describe(value: object, text: str):
    assert describe(value) == text


def test_repr_is_one_short_line():
    features = Features(
        keypoints=torch.zeros(3, 2),
        scores=torch.zeros(3),
        descriptors=torch.zeros(3, 8),
        image_size=(640, 480),
        kind="aliked-n16@0123",
        source="a.jpg",
    )
    assert (
        repr(features)
        == "Features(3 keypoints, descriptor dimension 8, 640 x 480 px, aliked-n16@0123, a.jpg)"
    )


@pytest.mark.parametrize("n", [0, 3, 5000])
def test_notebooks_show_numbers_and_positions(n: int):
    shown = Features(**values(n, source="<a>.jpg"))._repr_html_()
    assert f"{n:,} keypoints" in shown
    assert "&lt;a&gt;.jpg" in shown
    assert shown.count("<circle") == min(n, 4000)
    assert len(shown) < 300_000
