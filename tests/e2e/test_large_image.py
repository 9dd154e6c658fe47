"""An image of 100 megapixels, a mosaic of enlarged images, is matched within 4 GiB.

The network sees 33 megapixels of it, which untiled would take 7 GiB; at full size the memory is that of a tile, too,
and the time three times as long.
"""

import json
import subprocess
import sys
from pathlib import Path

import PIL.Image
import pytest

pytestmark = [pytest.mark.real, pytest.mark.weights]

SIZE = (12_240, 8_192)
GIB = 1 << 30
PROGRAM = """
import json, sys
import tiepoint
from tiepoint.bench import peak_bytes

large, small = sys.argv[1:]
matcher = tiepoint.load("aliked-t16+nearest", resize=7000, device="cpu")
features = matcher.extract(large)
other = tiepoint.load("aliked-t16+nearest", resize=1600, device="cpu").extract(small)
(result,) = matcher.match_features([(features, other)])
print(json.dumps({
    "size": features.image_size,
    "keypoints": features.keypoints.tolist(),
    "matches": len(result),
    "peak": peak_bytes(),
}))
"""


@pytest.fixture
def mosaic(photos: tuple[Path, Path], tmp_path: Path) -> Path:
    """A mosaic of two by two images, each enlarged to a quarter of it."""
    half = (SIZE[0] // 2, SIZE[1] // 2)
    picture = PIL.Image.new("RGB", SIZE)
    for number in range(4):
        column, row = number % 2, number // 2
        with PIL.Image.open(photos[column ^ row]) as photo:
            picture.paste(photo.convert("RGB").resize(half), (column * half[0], row * half[1]))
    picture.save(tmp_path / "mosaic.jpg", quality=90)
    return tmp_path / "mosaic.jpg"


def test_a_hundred_megapixels_fit_into_four_gib(mosaic: Path, photos: tuple[Path, Path]) -> None:
    command = [sys.executable, "-c", PROGRAM, str(mosaic), str(photos[0])]
    found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    assert tuple(found["size"]) == SIZE
    assert len(found["keypoints"]) == 2048
    quarters = {(x >= SIZE[0] / 2, y >= SIZE[1] / 2) for x, y in found["keypoints"]}
    assert len(quarters) == 4
    assert found["matches"] > 0
    assert found["peak"] < 4 * GIB
