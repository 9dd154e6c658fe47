"""The viewer and pair.html in a real browser: every control, keys, touch, phones, accessibility, no network."""

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from benchmarks.browser import wait_until
from tests.helpers.browser_pages import Open, serious_violations, settle
from tests.helpers.viewer_pairs import (
    BLUE,
    LAYERS,
    RED,
    SHIFT,
    SIZE,
    empty_pair,
    estimate_of,
    images,
    save_pair,
    shifted_pair,
)

from tiepoint.html.pair_page import render_pair

WIDE, PHONE = {"width": 1200, "height": 850}, {"width": 360, "height": 740}


@pytest.fixture(scope="module")
def pair_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_pair(tmp_path_factory.mktemp("page") / "pair.html")


@pytest.fixture
def page(open_page: Open, pair_file: Path) -> Any:
    return open_page(pair_file)


def slider(page: Any, name: str) -> Any:
    return page.get_by_role("slider", name=name)


def state(page: Any) -> dict[str, Any]:
    settle(page)
    return page.evaluate("viewer.state")


def status(page: Any) -> str:
    settle(page)
    return page.locator(".status").inner_text()


def stage_box(page: Any) -> dict[str, float]:
    return page.locator(".stage").bounding_box()


def on_screen(page: Any, side: int, point: tuple[float, float]) -> tuple[float, float]:
    """Position of an image point of an unzoomed pair side by side, in px of the window."""
    box = stage_box(page)
    pane = (box["width"] - 4) / 2
    scale = min(pane / SIZE[0], box["height"] / SIZE[1])
    x = box["x"] + side * (pane + 4) + pane / 2 + (point[0] + 0.5 - SIZE[0] / 2) * scale
    return x, box["y"] + box["height"] / 2 + (point[1] + 0.5 - SIZE[1] / 2) * scale


def pixels(page: Any, layer: int) -> np.ndarray:
    """RGBA of one of the three canvases: images, matches, hovered."""
    settle(page)
    script = """(layer) => {
      const canvases = document.querySelector("#viewer").shadowRoot.querySelectorAll(".stage > canvas");
      return canvases[layer].toDataURL();
    }"""
    png = base64.b64decode(page.evaluate(script, layer).partition(",")[2])
    return np.asarray(PIL.Image.open(io.BytesIO(png)).convert("RGBA"))


def is_like(
    image: np.ndarray, color: tuple[int, int, int], tolerance: int = 12, min_alpha: int = 200
) -> np.ndarray:
    near = np.abs(image[..., :3].astype(int) - color) <= tolerance
    return near.all(axis=-1) & (image[..., 3] > min_alpha)


def is_epipolar(image: np.ndarray) -> np.ndarray:
    return is_like(image, (80, 220, 255), 40, min_alpha=60)


def test_page_shows_both_images_and_the_numbers(page: Any) -> None:
    assert page.title() == "tiepoint: a.jpg ↔ b.jpg"
    caption = page.locator(".caption").inner_text()
    assert f"60 matches of 80 and 80 keypoints, {LAYERS} layers" in caption
    assert "fundamental: 54 inliers within 3 px" in caption
    assert "60 matches shown, 60 lines" in status(page)
    drawn = pixels(page, 0)
    half = drawn.shape[1] // 2
    dimmed = [tuple(round(0.75 * value) for value in color) for color in (RED, BLUE)]
    assert is_like(drawn[:, :half], dimmed[0]).mean() > 0.9
    assert is_like(drawn[:, half:], dimmed[1]).mean() > 0.9


def test_lines_connect_the_matches(page: Any) -> None:
    """The line of a match crosses the gap between the images; without lines, nothing does."""
    gap = pixels(page, 1).shape[1] // 2
    assert (pixels(page, 1)[:, gap, 3] > 0).any()
    page.evaluate("viewer.set({ maxLines: 0 })")
    assert not (pixels(page, 1)[:, gap, 3] > 0).any()
    assert (pixels(page, 1)[..., 3] > 0).any(), "points remain"


def test_wheel_zooms_and_dragging_pans_both_images(page: Any) -> None:
    x, y = on_screen(page, 0, (100, 100))
    page.mouse.move(x, y)
    page.mouse.wheel(0, -600)
    zoomed = state(page)
    assert zoomed["zoom"] > 2
    page.mouse.down()
    page.mouse.move(x - 80, y - 30, steps=4)
    page.mouse.up()
    panned = state(page)
    assert panned["center"][0] > zoomed["center"][0]
    assert panned["center"][1] > zoomed["center"][1]
    page.get_by_role("button", name="Reset view").click()
    assert (state(page)["zoom"], state(page)["center"]) == (1, [0.5, 0.5])


def test_sliders_limit_score_and_lines(page: Any) -> None:
    slider(page, "Score").fill("0.61")
    assert status(page).startswith("29 matches shown, 29 lines")
    slider(page, "Lines").fill("7")
    assert status(page).startswith("29 matches shown, 7 lines")


def test_inliers_only(page: Any) -> None:
    page.get_by_label("Inliers only").check()
    assert status(page).startswith("54 matches shown")


@pytest.mark.parametrize("color", ["inlier", "score", "displacement", "error"])
def test_colors(page: Any, color: str) -> None:
    page.get_by_label("Color").select_option(color)
    low = {"inlier": "outlier", "score": "0.00", "displacement": "px", "error": "px"}[color]
    assert low in page.locator(".legend").inner_text()
    assert state(page)["color"] == color


def test_outliers_are_drawn_in_another_color(page: Any) -> None:
    drawn = pixels(page, 1)
    assert is_like(drawn, (255, 80, 80)).any()
    page.get_by_label("Inliers only").check()
    assert not is_like(pixels(page, 1), (255, 80, 80)).any()


def test_hovering_a_match_shows_patches_score_and_error(page: Any) -> None:
    page.mouse.move(*on_screen(page, 0, (40, 40)))
    card = page.locator(".card")
    assert card.is_visible()
    text = card.inner_text()
    for part in (
        "score\n1.000",
        "error\n0.00 px",
        "inlier\nyes",
        "image 0\n(40.0, 40.0)",
        "image 1\n(48.0, 35.0)",
    ):
        assert part in text
    patches = "(canvases) => canvases.map((c) => [...c.getContext('2d').getImageData(20, 20, 1, 1).data.slice(0, 3)])"
    colors = np.array(card.locator("canvas").evaluate_all(patches))
    assert np.abs(colors - [RED, BLUE]).max() <= 12
    page.mouse.move(*on_screen(page, 0, (5, 290)))
    assert not card.is_visible()


def test_hovering_draws_the_epipolar_line_in_the_other_image(page: Any) -> None:
    page.mouse.move(*on_screen(page, 0, (40, 40)))
    box = stage_box(page)
    x, y = on_screen(page, 1, (200, 40 + SHIFT[1]))
    row = pixels(page, 2)[round(y - box["y"]) - 2 : round(y - box["y"]) + 3]
    line = is_epipolar(row).any(axis=0)
    assert line[row.shape[1] // 2 + 120 :].mean() > 0.95, "across image 1"
    assert not line[: row.shape[1] // 2 - 4].any(), "and not in image 0"
    page.get_by_label("Epipolar line").uncheck()
    page.mouse.move(x + 60, y + 60)
    assert not is_epipolar(pixels(page, 2)).any()


def test_unmatched_keypoints_tell_their_layer(page: Any) -> None:
    before = (pixels(page, 1)[..., 3] > 0).sum()
    page.get_by_label("Unmatched keypoints").check()
    assert (pixels(page, 1)[..., 3] > 0).sum() > before
    assert "pruned after layer 1" in page.locator(".legend").inner_text()
    page.mouse.move(*on_screen(page, 0, (20, 150)))
    assert "pruned\nafter layer 1" in page.locator(".card").inner_text()


def test_swipe_shows_image_0_left_of_the_divider(page: Any) -> None:
    page.get_by_label("Swipe").check(force=True)
    drawn = pixels(page, 0)
    middle = drawn.shape[0] // 2
    colored = [np.flatnonzero(is_like(drawn[middle], color)) for color in (RED, BLUE)]
    divider = drawn.shape[1] / 2
    assert (colored[0] < divider).all()
    assert len(colored[0]) > 100
    assert (colored[1] > divider).mean() > 0.9, "but for the border that the shift uncovers"
    slider(page, "Divider").fill("1")
    assert is_like(pixels(page, 0)[middle], RED).sum() > 1.8 * len(colored[0])
    box = stage_box(page)
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 4, box["y"] + 40, steps=3)
    page.mouse.up()
    assert state(page)["swipe"] == pytest.approx(0.25, abs=0.02)
    assert "homography with 54 inliers" in status(page)


def test_blink_alternates_the_images(page: Any) -> None:
    page.get_by_label("Blink").check(force=True)
    page.get_by_role("button", name="Stop").click()
    seen = []
    for _ in range(2):
        page.locator(".stage").press(" ")
        drawn = pixels(page, 0)
        center = drawn[drawn.shape[0] // 2, drawn.shape[1] // 2]
        seen.append(bool(is_like(center[None], RED)[0]))
    assert sorted(seen) == [False, True]


def test_blink_runs_by_itself_but_not_with_reduced_motion(open_page: Open, pair_file: Path) -> None:
    page = open_page(pair_file)
    page.evaluate("viewer.set({ mode: 'blink' })")
    first = state(page)["showsFirst"]
    wait_until(page, f"viewer.state.showsFirst !== {str(first).lower()}")
    still = open_page(pair_file, reduced_motion="reduce")
    assert not state(still)["isBlinking"]


def test_keys(page: Any) -> None:
    press = page.locator(".stage").press
    press("+")
    assert state(page)["zoom"] == pytest.approx(1.25)
    press("ArrowRight")
    assert state(page)["center"][0] > 0.5
    press("0")
    assert state(page)["zoom"] == 1
    for key, name, value in (("i", "inliersOnly", True), ("u", "unmatched", True), ("e", "epipolar", False)):
        press(key)
        assert state(page)[name] is value
    press("c")
    assert state(page)["color"] == "score"
    press("[")
    assert state(page)["maxLines"] < 60
    for mode in ("stacked", "swipe", "blink", "side"):
        press("m")
        assert state(page)["mode"] == mode


def test_matches_are_selected_by_keys_and_said(page: Any) -> None:
    press = page.locator(".stage").press
    press("n")
    first = page.locator("[aria-live]").inner_text()
    assert "score 1.000" in first
    press("n")
    assert page.locator("[aria-live]").inner_text() != first
    press("p")
    assert page.locator("[aria-live]").inner_text() == first
    assert page.locator(".card").is_visible()
    press("Escape")
    assert not page.locator(".card").is_visible()


def test_keys_of_controls_stay_theirs(page: Any) -> None:
    slider(page, "Score").press("ArrowRight")
    after = state(page)
    assert after["minScore"] == pytest.approx(0.01)
    assert after["center"] == [0.5, 0.5]


def test_phone(open_page: Open, pair_file: Path) -> None:
    page = open_page(pair_file, viewport=PHONE, has_touch=True, is_mobile=True, device_scale_factor=2)
    assert state(page)["mode"] == "stacked"
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    box = stage_box(page)
    assert box["height"] > box["width"]
    scale = min(box["width"] / SIZE[0], (box["height"] - 4) / 2 / SIZE[1])
    left = box["x"] + box["width"] / 2 + (40.5 - SIZE[0] / 2) * scale
    top = box["y"] + (box["height"] - 4) / 4 + (40.5 - SIZE[1] / 2) * scale
    page.touchscreen.tap(left, top)
    assert "score\n1.000" in page.locator(".card").inner_text()
    for label in page.locator(".toolbar label:visible, button:visible, select:visible").all():
        assert label.bounding_box()["height"] >= 24


def test_pinching_zooms(open_page: Open, pair_file: Path) -> None:
    page = open_page(pair_file, viewport=PHONE, has_touch=True, is_mobile=True)
    box = stage_box(page)
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 4
    session = page.context.new_cdp_session(page)
    for kind, distance in (("touchStart", 20), ("touchMove", 40), ("touchMove", 60), ("touchEnd", None)):
        points = (
            []
            if distance is None
            else [{"x": x + sign * distance, "y": y, "id": k} for k, sign in enumerate((-1, 1))]
        )
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    assert state(page)["zoom"] == pytest.approx(3, rel=0.2)


def test_resizing_keeps_the_images_in_the_stage(page: Any) -> None:
    page.set_viewport_size({"width": 700, "height": 600})
    page.wait_for_timeout(100)
    assert pixels(page, 0).shape[1] == round(stage_box(page)["width"])


def test_names_are_text(open_page: Open, tmp_path: Path) -> None:
    name = "\"'</script><script>alert(1)</script><img src=x onerror=alert(2)>&amp;.jpg"
    page = open_page(
        save_pair(tmp_path / "pair.html", source0=name.replace("/", "∕"), source1=f"x/{name.split('/')[-1]}")
    )
    heading = page.locator("h1").inner_text()
    assert name.split("/")[-1] in heading
    assert "\"'<∕script><script>alert(1)<∕script>" in heading


@pytest.mark.parametrize("keypoints", [0, 12])
def test_pairs_without_matches(open_page: Open, tmp_path: Path, keypoints: int) -> None:
    image0, image1 = images()
    result = empty_pair(keypoints)
    page = open_page(result.save(tmp_path / "pair.html", image0=image0, image1=image1))
    assert "no matches" in status(page)
    assert f"0 matches of {keypoints} and {keypoints} keypoints" in page.locator(".caption").inner_text()
    page.get_by_label("Unmatched keypoints").check()
    page.locator(".stage").press("n")
    page.mouse.move(*on_screen(page, 0, (200, 200)))
    assert (pixels(page, 1)[..., 3] > 0).any() == (keypoints > 0)


def test_mount_replaces_and_destroys(page: Any) -> None:
    script = """async () => {
      const text = document.getElementById("pair").textContent;
      const host = document.getElementById("viewer");
      const handle = await TiepointViewer.mount(host, JSON.parse(text));
      const sections = host.shadowRoot.querySelectorAll("section").length;
      const names = host.shadowRoot.querySelector(".names").innerText;
      handle.destroy();
      return [sections, names, host.shadowRoot.querySelectorAll("section").length];
    }"""
    assert page.evaluate(script) == [1, "a.jpg ↔ b.jpg", 0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("data.format = 7", "format 1, got 7"),
        ("data.images[0].src = 'data:image/jpeg;base64,AAAA'", "cannot show a.jpg"),
    ],
)
def test_invalid_data_is_one_line(page: Any, change: str, message: str) -> None:
    script = f"""async () => {{
      const data = JSON.parse(document.getElementById("pair").textContent);
      {change};
      const host = document.createElement("div");
      return [await TiepointViewer.mount(host, data).catch((error) => error.message), host.innerText];
    }}"""
    rejected, shown = page.evaluate(script)
    assert message in rejected
    assert message in shown


@pytest.mark.parametrize(("scheme", "viewport"), [("light", WIDE), ("dark", PHONE)], ids=["wide", "phone"])
def test_accessibility(open_page: Open, pair_file: Path, scheme: str, viewport: dict[str, int]) -> None:
    page = open_page(pair_file, color_scheme=scheme, viewport=viewport)
    for mode in ("side", "swipe", "blink"):
        page.evaluate("(mode) => viewer.set({ mode })", mode)
        assert serious_violations(page) == []


def test_show_runs_in_the_frame_of_a_notebook(open_page: Open, tmp_path: Path) -> None:
    """A page with the output of a cell; the scripts in the frame cannot reach it."""
    image0, image1 = images()
    view = shifted_pair().show(estimate_of(), image0=image0, image1=image1)
    notebook = tmp_path / "notebook.html"
    notebook.write_text(f"<!doctype html><title>cell</title>{view._repr_html_()}", encoding="utf-8")
    page = open_page(notebook, ready="document.readyState === 'complete'")
    frame = page.frame_locator("iframe")
    frame.locator(".stage").wait_for()
    assert "60 matches of 80 and 80 keypoints" in frame.locator(".caption").inner_text()
    frame.get_by_label("Inliers only").check()
    assert "54 matches shown" in frame.locator(".status").inner_text()


def test_pages_are_self_contained() -> None:
    """Nothing in a page refers to another file; a browser would refuse it, too."""
    image0, image1 = images()
    page = render_pair(shifted_pair().viewer_data(image0=image0, image1=image1))
    assert "default-src 'none'" in page
    assert not [part for part in ("http://", "https://", 'src="', "@import", "url(") if part in page]
