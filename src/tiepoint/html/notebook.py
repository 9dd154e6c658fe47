"""Pages and pictures in notebooks: the viewer in a frame, and pictures of at most 300 KB."""

import html
import io

import PIL.Image

from tiepoint.io.notebook import jpeg_element

MAX_BYTES = 220_000  # of a JPEG; base64 adds a third
HEIGHT = 640  # px
STEP = 0.8  # factor by which the sides of a picture with too many bytes are reduced


class PageView:
    """A self-contained page that a notebook shows in a frame.

    Attributes:
        page: HTML of the page.
        height: Height of the frame in px.
    """

    def __init__(self, page: str, height: int = HEIGHT) -> None:
        """Show a page.

        Args:
            page: HTML of the page.
            height: Height of the frame in px.
        """
        self.page = page
        self.height = height

    def __repr__(self) -> str:
        return f"PageView({len(self.page):,} characters; shown in notebooks, else use save)"

    def _repr_html_(self) -> str:
        """Return a frame, in which scripts of the page run but cannot reach the notebook."""
        style = f"width:100%;height:{self.height}px;border:0"
        page = html.escape(self.page)
        return f'<iframe title="tiepoint" sandbox="allow-scripts" style="{style}" srcdoc="{page}"></iframe>'


def picture_element(picture: PIL.Image.Image, alt: str) -> str:
    """Return an image element with a picture, reduced to at most 300 KB.

    Args:
        picture: Picture to show.
        alt: Description of the picture.
    """
    content = _encode(picture)
    while len(content) > MAX_BYTES and min(picture.size) > 1:
        picture = picture.resize([max(1, int(STEP * side)) for side in picture.size])
        content = _encode(picture)
    return jpeg_element(content, alt)


def _encode(picture: PIL.Image.Image) -> bytes:
    file = io.BytesIO()
    picture.convert("RGB").save(file, "JPEG", quality=85)
    return file.getvalue()
