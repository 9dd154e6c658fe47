"""The page of web/ in a real browser: its matches equal the package's; bad files, camera, phones, no other hosts."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from benchmarks.browser import wait_until
from skimage.data import stereo_motorcycle
from tests.helpers.browser_pages import serious_violations, settle
from tests.helpers.paths import REPOSITORY
from tests.helpers.static_server import serve_folder

import tiepoint
from tiepoint.html.rendering import viewer_script
from tiepoint.result import MatchResult
from tiepoint.types import Features

pytestmark = [pytest.mark.slow, pytest.mark.weights]

DIST = REPOSITORY / "web" / "dist"
NAMES = "[...document.querySelectorAll('.slot .name')].map((name) => name.textContent)"
PHONE = {"width": 360, "height": 740}
OpenPage = Callable[..., Any]


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    """URL of the built page; without one tests are skipped, or fail if TIEPOINT_REQUIRE_BROWSER=1."""
    if not (DIST / "models" / "index.json").is_file():
        reason = "the page is not built; run: make web"
        if os.environ.get("TIEPOINT_REQUIRE_BROWSER") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    with serve_folder(DIST) as url:
        yield url


@pytest.fixture(scope="module")
def open_site(browser: Any, site: str) -> Iterator[OpenPage]:
    """Open the page; at the end, check that it requested nothing from other hosts and logged no error."""
    contexts, requests, complaints = [], [], []

    def open_page(prepare: Callable[[Any], None] = lambda page: None, **options: Any) -> Any:
        context = browser.new_context(viewport={"width": 1200, "height": 850}, **options)
        context.set_default_timeout(120_000)
        contexts.append(context)
        context.on("request", lambda request: requests.append(request.url))
        page = context.new_page()
        page.on("console", lambda message: message.type == "error" and complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        prepare(page)
        page.goto(site)
        page.wait_for_selector("html[data-ready]")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert [url for url in requests if not url.startswith((site, "data:", f"blob:{site}"))] == []
    assert [text for text in complaints if "404" not in text] == []


@pytest.fixture(scope="module")
def page(open_site: OpenPage) -> Any:
    return open_site()


@pytest.fixture(scope="module")
def sample(page: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """File of the matches of the sample pair, as the page writes it; the page still shows them."""
    page.get_by_role("button", name="Use the sample pair").click()
    wait_for_end(page)
    return download(page, tmp_path_factory.mktemp("web"))


@pytest.fixture(scope="module")
def expected() -> MatchResult:
    return tiepoint.load("fast", device="cpu").match(
        *(DIST / "sample" / f"{side}.png" for side in ("left", "right"))
    )


@pytest.fixture(scope="module")
def crops(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two small images of the same scene, in which fewer keypoints are found than the maximum."""
    folder = tmp_path_factory.mktemp("crops")
    for pixels, name in zip(stereo_motorcycle()[:2], ("left.png", "right.png"), strict=True):
        PIL.Image.fromarray(pixels[100:340, 200:520]).save(folder / name)
    return folder / "left.png", folder / "right.png"


def wait_for_end(page: Any) -> None:
    """Wait until the matches are shown, or a problem."""
    ends = "document.querySelector('#status').textContent === 'Done.' || document.querySelector('#problem').textContent"
    wait_until(page, ends)
    settle(page)


def choose(page: Any, side: int, path: Path) -> None:
    page.locator(f"input[aria-label='Choose file for image {side}']").set_input_files(path)


def match_files(page: Any, files: tuple[Path, Path], folder: Path) -> MatchResult:
    """Match two files, and read the file of matches that the page writes."""
    for side, path in enumerate(files):
        choose(page, side, path)
    wait_until(
        page, f"['{files[0].name}', '{files[1].name}'].every((name, side) => {NAMES}[side].startsWith(name))"
    )
    wait_for_end(page)
    return MatchResult.load(download(page, folder))


def download(page: Any, folder: Path) -> Path:
    with page.expect_download() as event:
        page.get_by_role("button", name="Download matches").click()
    event.value.save_as(folder / "matches.json")
    return folder / "matches.json"


def text_of(page: Any, selector: str) -> str:
    return page.locator(selector).inner_text()


def matches_by_points(result: MatchResult) -> dict[tuple[float, ...], float]:
    rows = np.round(np.concatenate([result.points0, result.points1], axis=1), 2).tolist()
    return {tuple(row): float(score) for row, score in zip(rows, result.scores, strict=True)}


def keypoint_scores(features: Features) -> dict[tuple[float, ...], float]:
    points = np.round(features.keypoints.numpy(), 2).tolist()
    return {tuple(point): float(score) for point, score in zip(points, features.scores, strict=True)}


def differing(ours: dict[Any, float], theirs: dict[Any, float]) -> tuple[int, np.ndarray]:
    """Number of keys that only one has, and the differences of the scores of the others."""
    return len(ours.keys() ^ theirs.keys()), np.array(
        [abs(ours[key] - theirs[key]) for key in ours.keys() & theirs.keys()]
    )


def test_matches_equal_those_of_the_package(sample: Path, expected: MatchResult) -> None:
    """Ties of non-maximum suppression may be decided differently; the scores of all matches follow a little."""
    found = MatchResult.load(sample)
    assert len(expected) > 1000
    assert (found.layers_run, found.stopped_by) == (expected.layers_run, expected.stopped_by)
    for side in (0, 1):
        ours, theirs = (keypoint_scores(getattr(result, f"features{side}")) for result in (found, expected))
        lacking, differences = differing(ours, theirs)
        assert lacking <= 0.002 * len(theirs)  # 0.1 % of each
        assert differences.max() < 1e-4
    lacking, differences = differing(matches_by_points(found), matches_by_points(expected))
    assert lacking <= 0.01 * len(expected)
    assert np.median(differences) < 1e-3


def test_matches_of_the_same_keypoints_are_identical(
    one_thread_page: Any, crops: tuple[Path, Path], tmp_path: Path
) -> None:
    found = match_files(one_thread_page, crops, tmp_path)
    expected = tiepoint.load("fast", device="cpu").match(*crops)
    assert 500 < len(found.features0) < 2048
    for side in (0, 1):
        ours, theirs = (keypoint_scores(getattr(result, f"features{side}")) for result in (found, expected))
        lacking, differences = differing(ours, theirs)
        assert lacking == 0
        assert differences.max() < 1e-4
    assert (found.layers_run, found.stopped_by) == (expected.layers_run, expected.stopped_by)
    lacking, differences = differing(matches_by_points(found), matches_by_points(expected))
    assert lacking <= 0.001 * len(expected)
    assert (differences > 1e-4).mean() <= 0.01  # the rule for LighterGlue is 0.5 %; WASM rounds more coarsely
    assert differences.max() < 1e-3  # 3.2e-4 was seen elsewhere


def test_the_file_has_the_names_of_the_package(sample: Path, expected: MatchResult) -> None:
    names = set(json.loads(sample.read_text(encoding="utf-8")))
    assert names == set(expected.to_dict(None, expected.verify()))
    assert MatchResult.load(sample).features0.kind == expected.features0.kind


def test_the_verification_is_nearly_that_of_the_package(sample: Path, expected: MatchResult) -> None:
    """Each has a RANSAC of its own; the logistic model is the same."""
    found, verification = MatchResult.load(sample).verify(), expected.verify()
    assert found.same_scene
    assert found.num_inliers == pytest.approx(verification.num_inliers, rel=0.02)
    assert found.probability == pytest.approx(verification.probability, abs=1e-3)


def test_the_page_shows_the_matches(page: Any, sample: Path) -> None:
    count = len(MatchResult.load(sample))
    assert text_of(page, "#decision").startswith("Same scene: ")
    assert f"{count:,} matches shown" in text_of(page, "#viewer .status")
    stages = page.locator("#times th").all_inner_texts()
    assert stages == ["load the models", "read and resize", "extract", "match", "verify"]
    assert page.locator("#times td").all_inner_texts()[-1].endswith(" ms")
    assert "Apache-2.0" in text_of(page, "#licenses")
    assert "Middlebury" in text_of(page, "#licenses")


def test_the_viewer_is_that_of_the_package(site: str, page: Any) -> None:
    assert page.request.get(f"{site}viewer.js").text() == viewer_script()


def test_the_service_worker_allows_threads(page: Any, sample: Path) -> None:
    assert page.evaluate("crossOriginIsolated")
    count = min(page.evaluate("navigator.hardwareConcurrency"), 8)
    assert f"on {count} threads" in text_of(page, "#runtime") or count == 1


def test_the_page_is_accessible_and_fits_phones(page: Any, sample: Path) -> None:
    assert serious_violations(page) == []
    page.set_viewport_size(PHONE)
    settle(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert serious_violations(page) == []
    page.set_viewport_size({"width": 1200, "height": 850})


def test_files_that_cannot_be_matched_give_a_message(page: Any, sample: Path, tmp_path: Path) -> None:
    big, corrupt, text = tmp_path / "big.png", tmp_path / "corrupt.png", tmp_path / "notes.txt"
    PIL.Image.new("1", (10_000, 6_000)).save(big)
    whole = (DIST / "sample" / "left.png").read_bytes()
    corrupt.write_bytes(whole[:30] + bytes(200))
    text.write_text("not an image", encoding="utf-8")
    for path, message in (
        (big, "big.png has 10000 × 6000 px = 60.0 megapixels, which exceeds the limit of 50; resize it"),
        (corrupt, "cannot read corrupt.png: the file is damaged or truncated; export it again"),
        (text, "cannot read notes.txt: unsupported format; choose a JPEG, PNG, WebP, AVIF, GIF or BMP file"),
    ):
        choose(page, 0, path)
        wait_until(page, "document.querySelector('.slot .problem').textContent")
        assert text_of(page, ".slot >> nth=0 >> .problem") == message
        assert page.locator("#result").is_hidden()
        choose(page, 0, DIST / "sample" / "left.png")
        wait_until(page, "!document.querySelector('.slot .problem').textContent")


def test_a_truncated_file_gives_a_message(page: Any, tmp_path: Path) -> None:
    """Its size is readable, but not its pixels."""
    path = tmp_path / "truncated.png"
    path.write_bytes((DIST / "sample" / "left.png").read_bytes()[:100_000])
    choose(page, 0, path)
    choose(page, 1, DIST / "sample" / "right.png")
    ends = "document.querySelector('#problem').textContent || document.querySelector('.slot .problem').textContent"
    wait_until(page, ends)
    problems = text_of(page, "#problem") + text_of(page, ".slot >> nth=0 >> .problem")
    assert problems == "cannot read truncated.png: the file is damaged or truncated; export it again"


def test_an_image_of_one_pixel_has_no_keypoints(page: Any, tmp_path: Path) -> None:
    path = tmp_path / "dot.png"
    PIL.Image.new("RGB", (1, 1), "red").save(path)
    choose(page, 0, path)
    choose(page, 1, DIST / "sample" / "right.png")
    wait_for_end(page)
    decision = "Probably not the same scene: no keypoints in at least one image: blank, blurred or too small"
    assert text_of(page, "#decision") == decision


def test_the_camera_is_an_image(page: Any) -> None:
    page.get_by_role("button", name="Use camera for image 0").click()
    page.get_by_role("button", name="Take picture").click()
    wait_until(page, "document.querySelector('.slot .name').textContent.startsWith('camera-0.png')")
    assert page.locator("dialog").count() == 0


@pytest.fixture(scope="module")
def one_thread_page(open_site: OpenPage) -> Any:
    """The page without a service worker; WebGPU is selected, and missing in the browser of the tests."""
    page = open_site(service_workers="block")
    page.get_by_label("Runs on").select_option("webgpu")
    return page


def test_without_isolation_and_webgpu_one_thread_matches(
    one_thread_page: Any, crops: tuple[Path, Path], tmp_path: Path
) -> None:
    match_files(one_thread_page, crops, tmp_path)
    assert text_of(one_thread_page, "#decision").startswith("Same scene: ")
    runtime = text_of(one_thread_page, "#runtime")
    assert "on one thread: this page is not isolated from other sites" in runtime
    assert "WebGPU is not used: " in runtime


def test_exif_orientation_is_applied(one_thread_page: Any, crops: tuple[Path, Path], tmp_path: Path) -> None:
    path = tmp_path / "turned.jpg"
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    PIL.Image.open(crops[0]).transpose(PIL.Image.Transpose.ROTATE_90).save(path, exif=exif, quality=95)
    result = match_files(one_thread_page, (path, crops[1]), tmp_path)
    assert text_of(one_thread_page, ".slot >> nth=0 >> .name") == "turned.jpg, 320 × 240 px"
    assert (result.features0.image_size, result.features0.exif_orientation) == ((320, 240), 6)
    assert abs(np.median(result.points1[:, 1] - result.points0[:, 1])) < 1, "the pair is rectified"
    assert result.verify().same_scene


def test_without_models_the_page_says_what_to_run(open_site: OpenPage) -> None:
    def remove_models(page: Any) -> None:
        page.route("**/models/index.json", lambda route: route.fulfill(status=404, body="not found"))

    page = open_site(remove_models, service_workers="block")
    assert "To export them, run make web in a checkout of tiepoint" in text_of(page, "#problem")
    assert page.get_by_role("button", name="Use the sample pair").is_disabled()


def test_a_changed_bundle_is_refused(open_site: OpenPage, crops: tuple[Path, Path]) -> None:
    def change_layer(page: Any) -> None:
        content = (DIST / "models" / "fast" / "layer_2.onnx").read_bytes()
        changed = content[:-1] + bytes([content[-1] ^ 1])
        page.context.route("**/layer_2.onnx", lambda route: route.fulfill(body=changed))

    page = open_site(change_layer, service_workers="block")
    for side, path in enumerate(crops):
        choose(page, side, path)
    wait_for_end(page)
    assert "layer_2.onnx of the bundle xfeat+lighterglue was changed after the export" in text_of(
        page, "#problem"
    )
