"""Write the root of the documentation site: a list of its versions, and a redirect to one of them.

    python tools/docs_versions.py FOLDER

FOLDER holds one site per version: "latest", built from the main branch, and "1.2" for the releases 1.2.x. Writes
index.html, which redirects to the newest release, or to "latest" without one; versions.html, the list for people; and
versions.json, the same for programs, newest first.
"""

import html
import json
import re
import sys
from pathlib import Path

LATEST = "latest"
RELEASE = re.compile(r"\d+(?:\.\d+)*")
PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>tiepoint: {title}</title>{head}
<style>:root {{ color-scheme: light dark }} body {{ font: 1rem/1.6 sans-serif; max-width: 40rem; margin: 3rem auto; padding: 0 1rem }}</style>
</head>
<body>
<main>
{body}
</main>
</body>
</html>
"""


def main(folder: Path) -> None:
    """Write the three files."""
    versions = find_versions(folder)
    if not versions:
        sys.exit(f"{folder} holds no site: expected a folder {LATEST!r} or of a release, such as '1.2'")
    newest = next((name for name in versions if name != LATEST), LATEST)
    (folder / "versions.json").write_text(json.dumps(versions) + "\n", encoding="utf-8")
    (folder / "versions.html").write_text(list_page(versions), encoding="utf-8")
    (folder / "index.html").write_text(redirect_page(newest), encoding="utf-8")


def find_versions(folder: Path) -> list[str]:
    """Return the names of the folders that hold a site: "latest" first, then releases, newest first."""
    names = [path.parent.name for path in folder.glob("*/index.html")]
    releases = sorted(filter(RELEASE.fullmatch, names), key=release_number, reverse=True)
    return [LATEST] * (LATEST in names) + releases


def release_number(name: str) -> tuple[int, ...]:
    """Return a release as numbers, so that 1.10 comes after 1.9."""
    return tuple(map(int, name.split(".")))


def list_page(versions: list[str]) -> str:
    """Return the page that lists the versions."""
    items = "\n".join(
        f'<li><a href="{html.escape(name)}/index.html">{html.escape(describe(name))}</a></li>'
        for name in versions
    )
    return PAGE.format(
        title="versions", head="", body=f"<h1>Versions of this documentation</h1>\n<ul>\n{items}\n</ul>"
    )


def redirect_page(name: str) -> str:
    """Return a page that redirects to a version."""
    target = f"{name}/index.html"
    head = f'\n<meta http-equiv="refresh" content="0; url={target}">'
    return PAGE.format(
        title="documentation", head=head, body=f'<p><a href="{target}">Documentation of tiepoint</a></p>'
    )


def describe(name: str) -> str:
    """Return the text of a link."""
    return "latest: the main branch" if name == LATEST else name


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
