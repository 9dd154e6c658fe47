"""Pages in frames, and pictures of at most 300 KB."""

import html
import re

import numpy as np
import PIL.Image

from tiepoint.html.notebook import PageView, picture_element


def test_a_page_is_in_a_frame_of_its_own() -> None:
    page = '<p title="x">&lt;</p><script>"</script>'
    view = PageView(page, height=300)
    frame = view._repr_html_()
    (source,) = re.findall(r'srcdoc="([^"]*)"', frame)
    assert html.unescape(source) == page
    assert 'sandbox="allow-scripts"' in frame
    assert "height:300px" in frame
    assert len(repr(view)) < 100


def test_pictures_are_reduced_to_300_kb() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (1200, 1600, 3), dtype=np.uint8)
    element = picture_element(PIL.Image.fromarray(noise), "noise")
    assert 100_000 < len(element) < 300_000
    assert len(picture_element(PIL.Image.new("L", (1, 1)), "dot")) < 2000
