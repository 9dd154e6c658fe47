import pytest

from tiepoint.compat.lightglue.dictionaries import require_keys
from tiepoint.errors import InvalidInput


def test_require_keys() -> None:
    require_keys("LightGlue", {"image0": 1, "image1": 2}, ["image0", "image1"])
    with pytest.raises(
        InvalidInput, match="LightGlue: missing key 'image1', got 'image0', 'image2'; did you mean"
    ):
        require_keys("LightGlue", {"image0": 1, "image2": 2}, ["image0", "image1"])
    with pytest.raises(InvalidInput, match="got none"):
        require_keys("LightGlue", {}, ["image0"])
