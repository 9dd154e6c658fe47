"""The root of the documentation site lists the versions next to each other, and redirects to the newest release."""

import json
from pathlib import Path

import pytest
from tools.docs_versions import find_versions, main


def add_sites(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).mkdir()
        (folder / name / "index.html").touch()


def test_releases_are_sorted_by_number_after_latest(tmp_path: Path) -> None:
    add_sites(tmp_path, "1.9", "latest", "1.10", "0.1")
    (tmp_path / "2.0").mkdir()  # no site in it
    add_sites(tmp_path, "_static")
    assert find_versions(tmp_path) == ["latest", "1.10", "1.9", "0.1"]


@pytest.mark.parametrize(("names", "target"), [(["latest"], "latest"), (["latest", "0.9", "0.10"], "0.10")])
def test_root_redirects_to_the_newest_release(tmp_path: Path, names: list[str], target: str) -> None:
    add_sites(tmp_path, *names)
    main(tmp_path)
    assert f"url={target}/index.html" in (tmp_path / "index.html").read_text()
    versions = json.loads((tmp_path / "versions.json").read_text())
    page = (tmp_path / "versions.html").read_text()
    assert sorted(versions) == sorted(names)
    assert all(f'href="{name}/index.html"' in page for name in names)


def test_a_folder_without_a_site_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="holds no site"):
        main(tmp_path)
    assert list(tmp_path.iterdir()) == []
