"""Images of a small collection."""

from pathlib import Path

import pytest
from tests.helpers.small_collections import write_image_folder


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Folder with four images."""
    return write_image_folder(tmp_path / "photos", 4)
