"""Objects in notebooks: a table of numbers and a picture as HTML, for `_repr_html_`."""

import base64
import html
from collections.abc import Iterable

STYLE = "text-align:left;padding:2px 16px 2px 0"


def to_html(title: str, rows: Iterable[tuple[str, object]], picture: str = "") -> str:
    """Return a table with a title, and a picture below it; all texts are escaped.

    Args:
        title: Title of the table.
        rows: Names and values.
        picture: Element of a picture: output of `jpeg_element`, or an SVG element.
    """
    cells = "".join(
        f'<tr><th style="{STYLE};font-weight:normal">{html.escape(name)}</th>'
        f'<td style="{STYLE}">{html.escape(str(value))}</td></tr>'
        for name, value in rows
    )
    return f"<div><strong>{html.escape(title)}</strong><table>{cells}</table>{picture}</div>"


def jpeg_element(jpeg: bytes, alt: str) -> str:
    """Return an image element with a JPEG in it.

    Args:
        jpeg: Encoded JPEG.
        alt: Description of the picture.
    """
    source = base64.b64encode(jpeg).decode()
    return f'<img alt="{html.escape(alt)}" style="max-width:100%" src="data:image/jpeg;base64,{source}">'
