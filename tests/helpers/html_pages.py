"""What tests of a static site need to know about its pages: anchors, links, loaded files, images."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path


@dataclass
class HtmlPage(HTMLParser):
    """Anchors, links, loaded files and images of one page.

    Attributes:
        path: File of the page.
        anchors: All `id` and `name` attributes.
        links: `href` of all `a`.
        loaded: `src` and `href` of what the browser loads with the page.
        without_alt: `src` of images without an alternative text.
    """

    path: Path
    anchors: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    loaded: list[str] = field(default_factory=list)
    without_alt: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self.feed(self.path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect the attributes of a tag."""
        given = {name: value or "" for name, value in attrs}
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if tag in ("script", "img", "source", "iframe") and "src" in given:
            self.loaded.append(given["src"])
        if tag == "link" and given.get("rel") in ("stylesheet", "icon", "preload", "shortcut icon"):
            self.loaded.append(given["href"])
        if tag == "img" and not given.get("alt", "").strip():
            self.without_alt.append(given.get("src", ""))
