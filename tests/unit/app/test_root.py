"""Nothing outside the root is reachable: neither by "..", nor by links, nor by absolute paths."""

import os
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from tiepoint.app.messages import RequestError
from tiepoint.app.root import Root


@pytest.fixture
def root(tmp_path: Path) -> Root:
    folder = tmp_path / "root"
    for name in ("a2.jpg", "a10.jpg", "sub/b.png", "notes.txt", ".hidden/c.jpg", ".d.jpg"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.jpg").write_bytes(b"x")
    (folder / "link.jpg").symlink_to(tmp_path / "outside" / "secret.jpg")
    (folder / "folder-link").symlink_to(tmp_path / "outside")
    (folder / "inner-link.jpg").symlink_to(folder / "a2.jpg")
    (folder / "loop.jpg").symlink_to(folder / "loop.jpg")
    return Root(folder)


@pytest.mark.parametrize(
    "name",
    [
        "../outside/secret.jpg",
        "sub/../../outside/secret.jpg",
        "link.jpg",
        "folder-link/secret.jpg",
        "loop.jpg",
        "/etc/passwd",
        "missing.jpg",
        ".hidden/c.jpg",
        ".d.jpg",
        "a2.jpg\0",
        "\ud800",
        "~/a.jpg",
    ],
)
def test_other_files_are_not_found(root: Root, name: str) -> None:
    with pytest.raises(RequestError, match="not found below the root") as error:
        root.image(name)
    assert error.value.status == 404


@given(
    parts=st.lists(
        st.sampled_from(["..", ".", "sub", "outside", "secret.jpg", "folder-link", "", "a2.jpg"]), max_size=6
    )
)
def test_whatever_resolves_is_below_the_root(
    parts: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    base = tmp_path_factory.getbasetemp() / "property"
    (base / "root" / "sub").mkdir(parents=True, exist_ok=True)
    (base / "outside").mkdir(exist_ok=True)
    (base / "outside" / "secret.jpg").write_bytes(b"x")
    (base / "root" / "a2.jpg").write_bytes(b"x")
    if not (base / "root" / "folder-link").is_symlink():
        (base / "root" / "folder-link").symlink_to(base / "outside")
    try:
        path = Root(base / "root").resolve("/".join(parts))
    except RequestError:
        return
    assert os.path.realpath(path).startswith(os.path.realpath(base / "root"))


def test_images_of_the_root_are_found(root: Root) -> None:
    assert root.image("sub/b.png").name == "b.png"
    assert root.image("inner-link.jpg").name == "a2.jpg"
    with pytest.raises(RequestError, match="not an image file"):
        root.image("notes.txt")


def test_a_listing_leaves_out_what_leads_out(root: Root) -> None:
    assert root.listing("") == {"folders": ["sub"], "images": ["a2.jpg", "a10.jpg", "inner-link.jpg"]}
    assert root.images("", 3) == ["a2.jpg", "a10.jpg", "inner-link.jpg"]
    assert root.images("sub/", 3) == ["sub/b.png"]


def test_too_many_or_no_images(root: Root, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="3 images in 'the root', which exceeds the limit of 2"):
        root.images("", 2)
    (tmp_path / "root" / "empty").mkdir()
    with pytest.raises(RequestError, match="no images in 'empty'"):
        root.images("empty", 2)
    with pytest.raises(RequestError, match="not a folder"):
        root.images("a2.jpg", 2)


def test_without_a_root_nothing_is_read() -> None:
    with pytest.raises(RequestError, match="start it with: tiepoint app --root"):
        Root(None).resolve("a.jpg")
