"""`tiepoint app` in a real browser: every control, two users, cancel, restart, bad files, phones, no other hosts."""

import io
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from benchmarks.browser import wait_until
from skimage.data import stereo_motorcycle
from tests.helpers.app_process import AppProcess, app_process
from tests.helpers.browser_pages import serious_violations, settle

import tiepoint
from tiepoint.result import MatchResult

pytestmark = [pytest.mark.slow, pytest.mark.weights]

WIDE, PHONE = {"width": 1200, "height": 850}, {"width": 360, "height": 740}
OpenPage = Callable[..., Any]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder below which the server reads: the sample pair, and a part of it."""
    folder = tmp_path_factory.mktemp("root")
    (folder / "pair").mkdir()
    for pixels, name in zip(stereo_motorcycle()[:2], ("left.png", "right.png"), strict=True):
        PIL.Image.fromarray(pixels).save(folder / "pair" / name)
    return folder


@pytest.fixture(scope="module")
def pair(root: Path) -> tuple[Path, Path]:
    return root / "pair" / "left.png", root / "pair" / "right.png"


@pytest.fixture(scope="module")
def server(root: Path) -> Iterator[AppProcess]:
    with app_process("--preset", "fast", "--root", root) as running:
        yield running


@pytest.fixture(scope="module")
def open_app(browser: Any, server: AppProcess) -> Iterator[OpenPage]:
    """Open the page; at the end, check that it requested nothing from other hosts and logged no error."""
    contexts, requests, complaints = [], [], []

    def open_page(url: str = server.url, **options: Any) -> Any:
        context = browser.new_context(**({"viewport": WIDE} | options))
        context.set_default_timeout(60_000)
        contexts.append(context)
        context.on("request", lambda request: requests.append((url, request.url)))
        page = context.new_page()
        page.on("console", lambda message: message.type == "error" and complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(url)
        page.wait_for_selector("html[data-ready]")
        return page

    yield open_page
    for context in contexts:
        context.close()
    own = [(page, url) for page, url in requests if not url.startswith((page, "data:", f"blob:{page}"))]
    assert own == []
    expected = (
        "status of 4",
        "status of 5",
        "ERR_CONNECTION",
    )  # answers that the page shows as messages
    assert [text for text in complaints if not any(part in text for part in expected)] == []


@pytest.fixture(scope="module")
def page(open_app: OpenPage) -> Any:
    return open_app()


@pytest.fixture(scope="module")
def matched(page: Any, pair: tuple[Path, Path]) -> Any:
    """The page with the matches of the sample pair."""
    choose_pair(page, pair)
    run(page)
    return page


def choose(page: Any, side: int, path: Path) -> None:
    page.locator(f"input[aria-label='Choose file for image {side}']").set_input_files(path)


def choose_pair(page: Any, pair: tuple[Path, Path]) -> None:
    for side, path in enumerate(pair):
        choose(page, side, path)
    for side in (0, 1):
        wait_until(page, f"document.querySelectorAll('#slots .slot')[{side}].querySelector('img')?.complete")


def run(page: Any, tab: str = "match") -> None:
    """Start the job of a tab, and wait for its end."""
    page.locator(f"#{tab}-run").click()
    wait_for_end(page, tab)


def wait_for_end(page: Any, tab: str = "match") -> None:
    wait_until(page, f"!document.querySelector('#{tab}-run').disabled")
    settle(page)


def text(page: Any, selector: str) -> str:
    return page.locator(selector).inner_text()


def test_the_matches_are_those_of_the_package(matched: Any, pair: tuple[Path, Path], tmp_path: Path) -> None:
    expected = tiepoint.load("fast", device="cpu").match(*pair)
    with matched.expect_download() as event:
        matched.get_by_role("link", name="NPZ").click()
    event.value.save_as(tmp_path / "m.npz")
    found = MatchResult.load(tmp_path / "m.npz")
    np.testing.assert_array_equal(found.matches, expected.matches)
    np.testing.assert_array_equal(found.scores, expected.scores)
    assert found.features0.source == "left.png"


def test_the_page_says_what_was_found(matched: Any) -> None:
    assert text(matched, "#match-result h2").startswith("Same scene: ")
    assert "matches shown" in text(matched, "#match-result .status")
    stages = matched.locator("#match-result .times th").all_inner_texts()
    assert stages == ["load weights", "read", "extract", "match", "verify", "total"]


@pytest.mark.parametrize(
    ("name", "start"), [("PNG", b"\x89PNG"), ("JSON", b'{"format"'), ("HTML", b"<!doctype html>")]
)
def test_downloads(matched: Any, tmp_path: Path, name: str, start: bytes) -> None:
    with matched.expect_download() as event:
        matched.get_by_role("link", name=name).click()
    event.value.save_as(tmp_path / "file")
    assert (tmp_path / "file").read_bytes().startswith(start)


def test_it_is_accessible_and_fits_phones(matched: Any) -> None:
    assert serious_violations(matched) == []
    matched.set_viewport_size(PHONE)
    settle(matched)
    assert matched.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert serious_violations(matched) == []
    matched.set_viewport_size(WIDE)


def test_sliders_change_the_options(matched: Any) -> None:
    slider = matched.locator("#match-settings input[name=max_keypoints]")
    slider.fill("512")
    assert "512" in text(matched, "#match-settings")
    run(matched)
    assert "of 512 and 512 keypoints" in text(matched, "#match-result .caption")
    slider.fill("2048")


def matched_points(page: Any) -> np.ndarray:
    """Matched points of image 0, shape (k, 2), from the file of the page."""
    path = page.locator("#match-result .downloads a", has_text="JSON").get_attribute("href")
    return np.array(
        page.evaluate("fetch(PATH).then((r) => r.json()).then((v) => v.points0)".replace("PATH", repr(path)))
    )


def test_a_mask_is_drawn_on_the_image(matched: Any) -> None:
    slot = matched.get_by_role("group", name="Image 0")
    slot.get_by_role("button", name="Draw mask").click()
    box = slot.locator("canvas").bounding_box()
    corners = [(0.02, 0.02), (0.5, 0.02), (0.5, 0.98), (0.02, 0.98)]
    points = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in corners]
    matched.mouse.move(*points[0])
    matched.mouse.down()
    for point in points[1:]:
        matched.mouse.move(*point, steps=8)
    matched.mouse.up()
    assert slot.locator("canvas").get_attribute("aria-label") == "Mask of 1 regions"
    run(matched)
    points0 = matched_points(matched)
    assert len(points0) > 50
    assert points0[:, 0].max() < 0.5 * 741 + 8
    slot.get_by_label("Mask of image 0").select_option("out")
    run(matched)
    points0 = matched_points(matched)
    rows = (points0[:, 1] > 15) & (points0[:, 1] < 480)
    assert points0[rows, 0].min() > 0.5 * 741 - 8
    slot.get_by_role("button", name="Clear mask").click()
    assert slot.locator("canvas").get_attribute("aria-label") == "No mask"


def test_files_that_cannot_be_read_give_a_message(
    matched: Any, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    big = io.BytesIO()
    PIL.Image.new("1", (10_000, 6_000)).save(big, "PNG")
    for name, content, message in (
        ("notes.jpg", b"not an image", "'notes.jpg' is not in a supported image format"),
        ("empty.png", b"", "'empty.png' is empty; choose another file"),
        ("half.png", pair[0].read_bytes()[:100_000], "'half.png' is truncated"),
        (
            "big.png",
            big.getvalue(),
            "'big.png' has 10000 x 6000 px = 60.0 megapixels, which exceeds the limit of 50",
        ),
        ("huge.tif", bytes(50_000_001), "huge.tif has 50.0 MB, which exceeds the limit of 50 MB"),
    ):
        (tmp_path / name).write_bytes(content)
        choose(matched, 1, tmp_path / name)
        wait_until(matched, "document.querySelectorAll('#slots .problem')[1].textContent")
        assert message in text(matched, "#slots .slot >> nth=1 >> .problem")
        assert str(tmp_path) not in text(matched, "body")
    run(matched)
    assert text(matched, "#match-problem") == "choose two images first"
    choose_pair(matched, pair)
    assert matched.locator("#slots .problem").all_inner_texts() == ["", ""]


def test_files_are_dropped(open_app: OpenPage) -> None:
    """Two files on one place fill both."""
    page = open_app()
    script = """async (names) => {
      const data = new DataTransfer();
      for (const name of names) {
        const canvas = new OffscreenCanvas(40, 30);
        canvas.getContext("2d").fillRect(0, 0, 20, 30);
        data.items.add(new File([await canvas.convertToBlob()], name, { type: "image/png" }));
      }
      const slot = document.querySelector("#slots .slot");
      slot.dispatchEvent(new DragEvent("dragover", { dataTransfer: data, bubbles: true, cancelable: true }));
      slot.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
    }"""
    page.evaluate(script, ["a.png", "b.png"])
    names = "[...document.querySelectorAll('#slots .name')].map((e) => e.textContent).join()"
    wait_until(page, f"{names} === 'a.png, 40 × 30 px,b.png, 40 × 30 px'")


def test_images_from_the_camera_a_url_and_the_server(open_app: OpenPage) -> None:
    page = open_app()
    page.get_by_role("button", name="Use camera: image 0").click()
    page.get_by_role("button", name="Take picture").click()
    wait_until(page, "document.querySelector('#slots .name').textContent.startsWith('camera.png')")
    page.get_by_role("button", name="From server: image 1").click()
    assert serious_violations(page) == []
    page.get_by_role("button", name="pair/").click()
    page.get_by_role("button", name="right.png").click()
    wait_until(page, "document.querySelectorAll('#slots .name')[1].textContent.startsWith('pair/right.png')")
    page.get_by_role("button", name="From URL: image 1").click()
    page.get_by_label("Address of an image").fill("http://localhost:9/a.png")
    page.get_by_role("button", name="Load").click()
    wait_until(page, "document.querySelectorAll('#slots .problem')[1].textContent")
    assert "has a private or loopback address" in text(page, "#slots .slot >> nth=1 >> .problem")


def test_two_users_at_once(open_app: OpenPage, pair: tuple[Path, Path]) -> None:
    pages = [open_app(), open_app()]
    for page, count in zip(pages, ("256", "768"), strict=True):
        choose_pair(page, pair)
        page.locator("#match-settings input[name=max_keypoints]").fill(count)
    for page in pages:
        page.locator("#match-run").click()
    for page, count in zip(pages, ("256", "768"), strict=True):
        wait_for_end(page)
        assert f"of {count} and {count} keypoints" in text(page, "#match-result .caption")


def test_a_job_is_canceled(open_app: OpenPage, pair: tuple[Path, Path]) -> None:
    page = open_app()
    choose_pair(page, pair)
    page.locator("#match-settings select[name=preset]").select_option("aliked+lightglue")
    page.locator("#match-settings input[name=resize]").fill("2048")
    page.locator("#match-run").click()
    page.locator("#match-cancel").click()
    wait_for_end(page)
    assert text(page, "#match-status") == "Canceled."
    assert page.locator("#match-result").is_hidden()
    assert page.locator("#match-cancel").is_hidden()


def test_a_restart_in_the_middle(open_app: OpenPage, pair: tuple[Path, Path]) -> None:
    """The page waits for the server, sends the images again, and matches them."""
    with app_process("--preset", "fast") as first:
        page = open_app(first.url)
        choose_pair(page, pair)
        port = first.port
        page.evaluate("document.querySelector('#match-run').click()")
        first.process.kill()
        first.process.wait()
    wait_until(
        page,
        "document.body.textContent.includes('the server does not answer') || document.body.textContent.includes('The server does not answer')",
    )
    with app_process("--preset", "fast", "--port", port):
        wait_for_end(page)
        run(page)
        assert text(page, "#match-problem") == ""
        assert text(page, "#match-result h2").startswith("Same scene: ")


def test_without_weights_the_page_works(open_app: OpenPage, pair: tuple[Path, Path], tmp_path: Path) -> None:
    hidden = {"TIEPOINT_HOME": str(tmp_path), "TIEPOINT_OFFLINE": "1"}
    with app_process("--preset", "superpoint-open+nearest", **hidden) as server:
        page = open_app(server.url)
        choose_pair(page, pair)
        run(page)
        problem = text(page, "#match-problem")
        assert problem.startswith("the model cannot be loaded: ")
        assert str(tmp_path) not in problem
        page.locator("#match-settings select[name=preset]").select_option("xfeat+lighterglue")
        run(page)
        assert text(page, "#match-result h2").startswith("Same scene: ")


@pytest.mark.real
def test_a_collection_is_canceled_and_resumed_after_a_restart(
    open_app: OpenPage, shared_data: Path, tmp_path: Path
) -> None:
    """The page is opened again by its address; the result has a report, a 3-D view and a model."""
    images = sorted((shared_data / "sceaux_castle").rglob("100_710[0-3].JPG"))
    assert len(images) == 4
    with app_process("--preset", "fast", TIEPOINT_HOME=str(tmp_path)) as first:
        page = open_app(first.url)
        open_tab(page, "Collection")
        page.get_by_label("Choose files for images of the collection").set_input_files(images)
        page.locator("#collection-settings input[name=resize]").fill("640")
        page.locator("#collection-run").click()
        page.locator("#collection-cancel").click()
        wait_for_end(page, "collection")
        assert text(page, "#collection-status") == "Canceled."
        page.get_by_role("button", name="Resume").click()
        wait_until(page, "document.querySelector('#collection-status').textContent.startsWith('Working')")
        port = first.port
        first.process.kill()
        first.process.wait()
    with app_process("--preset", "fast", "--port", port, TIEPOINT_HOME=str(tmp_path)) as second:
        wait_for_end(page, "collection")
        assert text(page, "#collection-status") == "Interrupted."
        page.reload()
        page.get_by_role("button", name="Resume").click()
        wait_for_end(page, "collection")
        assert text(page, "#collection-problem") == ""
        assert text(page, "#collection-result h2").startswith("3-D model of 4 of 4 images")
        page.frame_locator("iframe.report").locator(".plot").first.wait_for()
        check_layout(page)
        with page.expect_download() as event:
            page.get_by_role("link", name="Model").click()
        event.value.save_as(tmp_path / "model.zip")
        assert "sparse/0/points3D.bin" in zipfile.ZipFile(tmp_path / "model.zip").namelist()
        href = page.get_by_role("link", name="Report").get_attribute("href")
        report = urllib.request.urlopen(second.url + href).read().decode()
        assert str(tmp_path) not in report
        page.get_by_role("button", name="Remove collection").click()
        wait_for_end(page, "collection")
        assert page.locator("#collection-result").is_hidden()


def test_ctrl_c_ends_it_and_a_port_in_use_is_one_line(server: AppProcess) -> None:
    with app_process("--preset", "fast") as other:
        assert urllib.request.urlopen(other.url).status == 200
        assert other.stop() in (0, 130)
    with pytest.raises(AssertionError) as error, app_process("--port", server.port):
        pass
    lines = str(error.value).strip().splitlines()
    assert len(lines) == 1
    assert f"port {server.port}" in lines[0]


def open_tab(page: Any, name: str) -> None:
    page.get_by_role("tab", name=name).click()
    settle(page)


def check_layout(page: Any) -> None:
    """No serious violation and no horizontal scrolling, on a desktop and on a phone."""
    assert serious_violations(page) == []
    page.set_viewport_size(PHONE)
    settle(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert serious_violations(page) == []
    page.set_viewport_size(WIDE)


def test_tabs_are_moved_by_arrow_keys(page: Any) -> None:
    page.get_by_role("tab", name="Match").focus()
    page.keyboard.press("ArrowRight")
    assert page.get_by_role("tab", name="Geometry").get_attribute("aria-selected") == "true"
    assert page.locator("#geometry").is_visible()
    page.keyboard.press("ArrowLeft")
    assert page.locator("#match").is_visible()


@pytest.mark.parametrize(
    ("kind", "word"),
    [("homography", "Homography"), ("fundamental", "Fundamental matrix"), ("pose", "rotation")],
)
def test_geometry(matched: Any, kind: str, word: str) -> None:
    open_tab(matched, "Geometry")
    matched.locator("#geometry-settings select[name=verify]").select_option(kind)
    run(matched, "geometry")
    geometry = text(matched, "#geometry-result .geometry")
    assert geometry.startswith(f"{kind}: ")
    assert "inliers within 3 px" in geometry
    assert word in geometry
    assert matched.evaluate("viewer.state.mode") == "swipe"
    if kind == "homography":
        check_layout(matched)


def test_two_settings_are_compared(matched: Any) -> None:
    open_tab(matched, "Compare")
    matched.locator("#compare-b-settings select[name=preset]").select_option("xfeat+nearest")
    run(matched, "compare")
    table = text(matched, "#compare-result table.comparison")
    assert "xfeat+lighterglue\txfeat+nearest" in table
    assert matched.locator("#compare-result .viewer").count() == 2
    check_layout(matched)


def test_find_among_dropped_files_and_in_a_folder(
    open_app: OpenPage, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    page = open_app()
    open_tab(page, "Find")
    PIL.Image.fromarray(np.random.default_rng(0).integers(0, 255, (300, 400, 3), np.uint8)).save(
        tmp_path / "noise.png"
    )
    (tmp_path / "broken.png").write_bytes(b"text")
    page.get_by_label("Choose file for query image").set_input_files(pair[0])
    images = page.get_by_label("Choose files for images to search")
    images.set_input_files([tmp_path / "noise.png", pair[1], tmp_path / "broken.png"])
    wait_until(page, "document.querySelector('#find .drop .preview').textContent === '2 images'")
    assert "'broken.png' is not in a supported image format" in text(page, "#find .drop .problem")
    run(page, "find")
    assert text(page, "#find-result h2") == "1 of 2 images show the same scene"
    assert text(page, "#find-result .pair >> nth=0").startswith("1. right.png")
    check_layout(page)
    page.locator("#find-result .pair >> nth=0").click()
    page.locator("dialog .stage").wait_for()
    page.get_by_role("button", name="Close").click()
    page.get_by_role("button", name="Folder on server").click()
    page.get_by_role("button", name="pair/").click()
    page.get_by_role("button", name="Use this folder (2 images)").click()
    run(page, "find")
    assert text(page, "#find-result h2") == "2 of 2 images show the same scene"
