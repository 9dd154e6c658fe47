"""Registered files: grid of the fixed image, values of the moving one; failures write nothing; runs can be resumed."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import tifffile
from tests.helpers.colored_dots import SHIFT, SIZE, dots, make_matcher

from tiepoint.errors import InvalidInput
from tiepoint.image.displacement import DisplacementField
from tiepoint.image.rasters import read_raster
from tiepoint.registration import register as module
from tiepoint.registration.alignment import AlignSettings
from tiepoint.registration.deformation import Deformation
from tiepoint.registration.register import Extras, WarpSettings, register, register_many

WIDTH, HEIGHT = SIZE
GEO = [(33550, 12, 3, (0.5, 0.5, 0.0), True), (33922, 12, 6, (0.0, 0.0, 0.0, 100.0, 200.0, 0.0), True)]


@pytest.fixture(autouse=True)
def matcher(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "load", lambda preset, **options: make_matcher(None))


@pytest.fixture
def images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """moving.tif, with a fourth band, and fixed.tif, which is georeferenced."""
    monkeypatch.chdir(tmp_path)
    extra = np.arange(WIDTH * HEIGHT).reshape(HEIGHT, WIDTH, 1) % 251
    moving = np.concatenate([dots(), extra.astype(np.uint8)], axis=2)
    tifffile.imwrite("moving.tif", moving, photometric="rgb", extrasamples=["unspecified"])
    tifffile.imwrite("fixed.tif", dots(SHIFT), photometric="rgb", extratags=GEO)
    return tmp_path


FORCE = WarpSettings(force=True)


def test_the_grid_is_that_of_the_fixed_image(images: Path):
    alignment = register("moving.tif", "fixed.tif", "out.tif", warp_settings=FORCE)
    assert alignment.estimate.kind == "similarity"
    moving, found = read_raster("moving.tif"), read_raster("out.tif")
    assert found.image_size == SIZE
    assert found.pixels.shape[2] == 4
    assert np.array_equal(found.pixels[5:, 9:], moving.pixels[:-5, :-9])
    assert found.nodata == 0
    assert not found.pixels[:, :8].any()
    assert [tag[3] for tag in found.geo.tags] == [tag[3] for tag in GEO]


def test_extras(images: Path):
    extras = Extras(
        mask=Path("mask.png"), control_points=Path("points.csv"), html=Path("swipe.html"), json=Path("r.json")
    )
    register("moving.tif", "fixed.tif", "out.tif", extras=extras, warp_settings=FORCE)
    mask = np.asarray(PIL.Image.open("mask.png"))
    assert mask[20:, 20:].all()
    assert not mask[:, :8].any()
    assert len(Path("points.csv").read_text().splitlines()) > 20
    assert "<html" in Path("swipe.html").read_text()
    values = json.loads(Path("r.json").read_text())
    assert (values["model"], values["output"]) == ("similarity", "out.tif")


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [("a.png", {}, (4, 0)), ("a.tif", {"nodata": 7}, (3, 7)), ("a.jpg", {}, (3, None))],
)
def test_values_outside(images: Path, name: str, options: dict[str, Any], expected: tuple):
    PIL.Image.fromarray(dots()).save("rgb.png")
    register("rgb.png", "fixed.tif", name, warp_settings=WarpSettings(force=True, **options))
    pixels = read_raster(name).pixels
    assert pixels.shape[2] == expected[0]
    if expected[1] is not None:
        assert (pixels[:, :8, -1] == expected[1]).all()


@pytest.mark.parametrize("text", ["-9999", "nan"])
def test_a_missing_value_of_the_image_that_its_type_does_not_hold(images: Path, text: str):
    """As GDAL's tools write it at times."""
    pixels = np.concatenate([dots(), dots()[..., :1]], axis=2).astype(np.uint16)
    options = {"photometric": "rgb", "extrasamples": ["unspecified"]}
    tifffile.imwrite("deep.tif", pixels * 257, extratags=[(42113, 2, len(text) + 1, text, True)], **options)
    register("deep.tif", "fixed.tif", "out.tif", warp_settings=FORCE)
    assert read_raster("out.tif").nodata == 0


def test_floating_point_is_nan_outside(images: Path):
    tifffile.imwrite(
        "float.tif", dots().astype(np.float32) / 255, photometric="minisblack", planarconfig="contig"
    )
    register("float.tif", "fixed.tif", "out.tif", warp_settings=FORCE)
    assert np.isnan(read_raster("out.tif").pixels[:, :8]).all()


class TestPiecewise:
    """The image, its page and the numbers follow the deformation."""

    def test_a_deformation_moves_the_pixels(self, images: Path, monkeypatch: pytest.MonkeyPatch):
        def fit(matches: Any, estimate: Any) -> tuple[Deformation, str]:
            field = DisplacementField(np.broadcast_to([3.0, -2.0], (2, 2, 2)), 500.0)
            chosen = estimate.inliers.copy()
            return Deformation(
                displacement=field,
                is_control_point=chosen,
                num_fitted=9,
                held_out_rms_px=1.0,
                model_rms_px=4.0,
            ), ""

        monkeypatch.setattr("tiepoint.registration.alignment.fit_deformation", fit)
        PIL.Image.fromarray(dots()).save("rgb.png")
        extras = Extras(html=Path("swipe.html"), json=Path("r.json"), control_points=Path("points.csv"))
        settings = AlignSettings(piecewise=True)
        register(
            "rgb.png", "fixed.tif", "out.tif", align_settings=settings, warp_settings=FORCE, extras=extras
        )
        found, moving = read_raster("out.tif").bands, dots()
        assert np.array_equal(found[20:200, 20:300], moving[20 - 7 : 200 - 7, 20 - 6 : 300 - 6])
        numbers = json.loads(Path("r.json").read_text())["deformation"]
        assert (numbers["held_out_rms_px"], numbers["model_rms_px"]) == (1.0, 4.0)
        residuals = [float(line.split(",")[-2]) for line in Path("points.csv").read_text().splitlines()[1:]]
        assert np.median(residuals) == pytest.approx(np.hypot(3, 2), abs=0.01)
        assert "<html" in Path("swipe.html").read_text()

    def test_the_model_alone_where_it_is_enough(self, images: Path):
        settings = AlignSettings(piecewise=True)
        alignment = register(
            "moving.tif", "fixed.tif", "out.tif", align_settings=settings, warp_settings=FORCE
        )
        assert alignment.deformation is None
        assert "one model fits as well" in alignment.reason_not_deformed


class TestFailures:
    """A reason, and no file."""

    @pytest.mark.parametrize("name", ["black.png", "other.png", "mirrored.png"])
    def test_images_that_do_not_fit(self, images: Path, name: str):
        PIL.Image.fromarray(np.zeros((HEIGHT, WIDTH, 3), np.uint8)).save("black.png")
        PIL.Image.fromarray(dots(seed=5)).save("other.png")
        PIL.Image.fromarray(dots()[:, ::-1]).save("mirrored.png")
        before = set(images.iterdir())
        with pytest.raises(InvalidInput, match=rf"cannot register '{name}' to 'fixed.tif': ") as raised:
            register(name, "fixed.tif", "out.tif")
        assert "\n" not in str(raised.value)
        assert set(images.iterdir()) == before

    @pytest.mark.parametrize(
        ("output", "extras", "message"),
        [
            ("fixed.tif", Extras(), "fixed.tif"),
            ("out.bmp", Extras(), "expected a name ending in"),
            ("none/out.tif", Extras(), "none"),
            ("out.tif", Extras(html=Path("page.txt")), "ending in .html"),
            ("out.tif", Extras(control_points=Path("a.txt")), "ending in .csv or .points"),
            ("out.jpg", Extras(), "JPG cannot hold 4 bands"),
        ],
    )
    def test_outputs_are_checked_before_matching(
        self, images: Path, monkeypatch: pytest.MonkeyPatch, output: str, extras: Extras, message: str
    ):
        monkeypatch.setattr(module, "load", None)
        with pytest.raises(InvalidInput, match=message):
            register("moving.tif", "fixed.tif", output, extras=extras)

    @pytest.mark.parametrize(
        "options", [{"mask": Path("m.psd")}, {"json": Path("fixed.tif")}, {"json": Path("a.txt")}]
    )
    def test_other_outputs_are_checked_too(self, images: Path, options: dict[str, Any]):
        with pytest.raises(InvalidInput):
            register("moving.tif", "fixed.tif", "out.tif", extras=Extras(**options), warp_settings=FORCE)
        assert not Path("out.tif").exists()

    def test_a_folder_that_cannot_be_made(self, images: Path):
        with pytest.raises(InvalidInput, match=r"cannot use fixed\.tif as output folder"):
            list(register_many(["moving.tif"], "fixed.tif", "fixed.tif"))

    def test_a_value_that_the_type_does_not_hold(self, images: Path):
        with pytest.raises(InvalidInput, match="values of type uint8, which cannot hold -9999"):
            register(
                "moving.tif", "fixed.tif", "out.tif", warp_settings=WarpSettings(nodata=-9999, force=True)
            )


@pytest.mark.parametrize("bands", [3, 5])
@pytest.mark.parametrize(("dtype", "scale"), [("uint8", 1), ("uint16", 257), ("float32", 1 / 255)])
def test_an_identity_changes_neither_pixels_nor_metadata(images: Path, dtype: str, scale: float, bands: int):
    more = np.random.default_rng(0).integers(0, 255, (HEIGHT, WIDTH, bands - 3))
    pixels = (np.concatenate([dots(), more], axis=2) * scale).astype(dtype)
    kinds = ["unspecified"] * (bands - 3)
    tifffile.imwrite("image.tif", pixels, photometric="rgb", extrasamples=kinds, extratags=GEO)
    register("image.tif", "image.tif", "out.tif", warp_settings=FORCE)
    found = read_raster("out.tif")
    assert found.bands.dtype == pixels.dtype
    assert np.array_equal(found.bands, pixels)
    assert [tag[0:4:3] for tag in found.geo.tags] == [tag[0:4:3] for tag in GEO]


class TestMany:
    def test_failures_are_reported_and_outputs_are_kept(self, images: Path, monkeypatch: pytest.MonkeyPatch):
        PIL.Image.fromarray(np.zeros((HEIGHT, WIDTH, 3), np.uint8)).save("black.png")
        PIL.Image.fromarray(dots()).save("good.png")
        Path("text.png").write_text("no image")
        names = ["good.png", "black.png", "text.png"]
        found = dict(register_many(names, "fixed.tif", "out", suffix=".tif", warp_settings=FORCE))
        assert [registration.output for registration in found.values()] == [Path("out/good.tif"), None, None]
        assert "got 0 matches" in found[Path("black.png")].reason
        assert "text.png" in found[Path("text.png")].reason
        assert [path.name for path in Path("out").iterdir()] == ["good.tif"]
        stamp = Path("out/good.tif").stat().st_mtime_ns
        (again,) = register_many(names[:1], "fixed.tif", "out", suffix=".tif", warp_settings=FORCE)
        assert (again[1].alignment, again[1].output) == (None, Path("out/good.tif"))
        assert Path("out/good.tif").stat().st_mtime_ns == stamp
        list(register_many(names[:1], "fixed.tif", "out", suffix=".tif", warp_settings=FORCE, overwrite=True))
        assert Path("out/good.tif").stat().st_mtime_ns > stamp

    def test_two_images_of_one_name(self, images: Path):
        (images / "a").mkdir()
        with pytest.raises(InvalidInput, match=r"moving\.tif"):
            list(register_many(["moving.tif", "a/moving.tif"], "fixed.tif", "out"))
