"""Tables and pictures in notebooks: escaped."""

from tiepoint.io.notebook import jpeg_element, to_html


def test_texts_are_escaped() -> None:
    text = to_html("<a>", [("<b>", "<c>"), ("n", 3)], "<svg></svg>")
    for part in ("&lt;a&gt;", "&lt;b&gt;", "&lt;c&gt;", ">3<", "<svg></svg>"):
        assert part in text


def test_pictures_are_data_urls() -> None:
    element = jpeg_element(b"abc", '"<x>')
    assert 'src="data:image/jpeg;base64,YWJj"' in element
    assert 'alt="&quot;&lt;x&gt;"' in element
