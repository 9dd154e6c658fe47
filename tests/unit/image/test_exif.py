"""EXIF data: orientations, focal lengths and positions, valid and damaged."""

import logging
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from PIL.TiffImagePlugin import IFDRational

from tiepoint.image.exif import (
    ORIENTATIONS,
    compose_orientations,
    read_focal_length_px,
    read_position,
    swap_sides,
)

FOCAL_MM, FILM_MM, X_RESOLUTION, UNIT, WIDTH, HEIGHT = 0x920A, 0xA405, 0xA20E, 0xA210, 0xA002, 0xA003
CANON = {
    FOCAL_MM: IFDRational(24),
    X_RESOLUTION: IFDRational(4438356, 1000),
    UNIT: 2,
    WIDTH: 3888,
    HEIGHT: 2592,
}
"""A sensor of 22.25 mm: 4438 px an inch."""


def focal_of(path: Path, tags: dict[int, object], size: tuple[int, int] = (3888, 2592)) -> float | None:
    exif = PIL.Image.Exif()
    exif.get_ifd(0x8769).update(tags)
    PIL.Image.new("L", (8, 6)).save(path, exif=exif)
    return read_focal_length_px(path, size)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.jpg"


def test_from_the_35_mm_equivalent(path: Path):
    assert focal_of(path, {FILM_MM: 35}, (4000, 3000)) == pytest.approx(35 / 43.27 * 5000)


def test_from_the_pitch_of_the_sensor(path: Path):
    assert focal_of(path, CANON) == pytest.approx(24 * 4438.356 / 25.4)


def test_the_35_mm_equivalent_comes_first(path: Path):
    assert focal_of(path, CANON | {FILM_MM: 35}) == pytest.approx(35 / 43.27 * np.hypot(3888, 2592))


@pytest.mark.parametrize("size", [(1944, 1296), (1296, 1944)], ids=["landscape", "portrait"])
def test_a_reduced_photograph(path: Path, size: tuple[int, int]):
    assert focal_of(path, CANON, size) == pytest.approx(24 * 4438.356 / 25.4 / 2)


@pytest.mark.parametrize(
    "size", [(3888, 2000), (1944, 2592), (1000, 1000), (1944, 1280), (3888, 1296)], ids=str
)
@pytest.mark.parametrize("tags", [CANON, CANON | {FILM_MM: 35}], ids=["sensor", "film"])
def test_none_for_images_cropped_after_capture(path: Path, tags: dict[int, object], size: tuple[int, int]):
    assert focal_of(path, tags, size) is None
    assert focal_of(path, tags, (size[1], size[0])) is None


@pytest.mark.parametrize("size", [(1000, 667), (1000, 666), (777, 518), (3880, 2584), (1296, 1944)], ids=str)
def test_rounded_sides_of_resized_images_are_no_crop(path: Path, size: tuple[int, int]):
    found = focal_of(path, CANON | {FILM_MM: 35}, size)
    assert found == pytest.approx(35 / 43.27 * np.hypot(*size))


@pytest.mark.parametrize(
    "tags",
    [
        {FILM_MM: 1},
        {FILM_MM: 65535},
        {FILM_MM: 6},
        CANON | {X_RESOLUTION: IFDRational(1)},
        CANON | {X_RESOLUTION: IFDRational(4438356)},
        CANON | {UNIT: 5},
        CANON | {FOCAL_MM: IFDRational(1, 100)},
    ],
    ids=["gopro", "65535", "6-mm", "pixel-per-inch", "too-fine", "micrometers", "hundredth-mm"],
)
def test_focal_lengths_that_no_lens_has_are_none(path: Path, tags: dict[int, object]):
    """A GoPro Hero 4 Session writes a 35 mm equivalent of 1 (mapillary/OpenSfM#799)."""
    assert focal_of(path, tags) is None


@pytest.mark.parametrize("film_mm", [9, 35, 1200, 2400])
def test_extreme_lenses_are_plausible(path: Path, film_mm: int):
    assert focal_of(path, {FILM_MM: film_mm}) == pytest.approx(film_mm / 43.27 * np.hypot(3888, 2592))


def test_an_implausible_35_mm_equivalent_leaves_the_sensor(path: Path):
    assert focal_of(path, CANON | {FILM_MM: 1}) == pytest.approx(24 * 4438.356 / 25.4)


def test_pitch_in_centimeters(path: Path):
    in_cm = CANON | {X_RESOLUTION: IFDRational(4438356, 2540), UNIT: 3}
    assert focal_of(path, in_cm) == pytest.approx(24 * 4438.356 / 25.4)


@pytest.mark.parametrize(
    "tags",
    [
        {},
        {FILM_MM: 0},
        {FOCAL_MM: IFDRational(24)},
        CANON | {X_RESOLUTION: IFDRational(0, 0)},
        CANON | {X_RESOLUTION: IFDRational(0)},
        CANON | {UNIT: 9},
        CANON | {HEIGHT: 3888},
    ],
    ids=["nothing", "zero", "only-mm", "nan", "no-pitch", "unknown-unit", "cropped"],
)
def test_none_where_nothing_is_known(path: Path, tags: dict[int, object]):
    assert focal_of(path, tags) is None


def test_none_where_there_is_no_file(tmp_path: Path):
    assert read_focal_length_px(tmp_path / "missing.jpg", (8, 6)) is None
    assert read_focal_length_px(tmp_path, (8, 6)) is None
    assert read_focal_length_px("https://example.org/a.jpg", (8, 6)) is None


def test_none_where_there_is_no_image(path: Path, caplog: pytest.LogCaptureFixture):
    path.write_bytes(b"not an image")
    with caplog.at_level(logging.INFO):
        assert read_focal_length_px(path, (8, 6)) is None
    assert str(path) in caplog.text


def test_damaged_exif_data_cost_no_estimate(path: Path):
    focal_of(path, {FILM_MM: 35})
    data = bytearray(path.read_bytes())
    start = data.index(b"Exif\0\0") + 6
    data[start + 4 : start + 40] = b"\xff" * 36
    path.write_bytes(bytes(data))
    assert read_focal_length_px(path, (8, 6)) is None


NORTH, EAST = {1: "N", 2: (55.0, 42.0, 19.8)}, {3: "E", 4: (13.0, 11.0, 33.0)}


def position_of(path: Path, tags: dict[int, object]) -> tuple[float, float] | None:
    exif = PIL.Image.Exif()
    exif.get_ifd(0x8825).update(tags)
    PIL.Image.new("L", (8, 6)).save(path, exif=exif)
    return read_position(path)


@pytest.mark.parametrize(("reference0", "sign0"), [("N", 1), ("S", -1), ("s", -1)])
@pytest.mark.parametrize(("reference1", "sign1"), [("E", 1), ("W", -1)])
def test_the_four_quarters_of_the_globe(path: Path, reference0: str, sign0: int, reference1: str, sign1: int):
    tags = NORTH | EAST | {1: reference0, 3: reference1}
    assert position_of(path, tags)[:2] == pytest.approx((sign0 * 55.7055, sign1 * 13.1925))


@pytest.mark.parametrize(
    ("tags", "altitude_m"),
    [
        ({}, None),
        ({6: IFDRational(805, 10)}, 80.5),
        ({5: b"\x00", 6: IFDRational(80)}, 80),
        ({5: b"\x01", 6: IFDRational(80)}, -80),
        ({5: b"\x02", 6: IFDRational(80)}, 80),
        ({5: b"\x03", 6: IFDRational(80)}, -80),
        ({5: b"\x00", 6: IFDRational(0)}, 0),
        ({5: b"\x00", 6: IFDRational(80, 0)}, None),
        ({5: b"\x00", 6: IFDRational(4_294_967_295)}, None),
        ({5: b"\x01", 6: IFDRational(20_000)}, None),
    ],
    ids=[
        "none",
        "no-ref",
        "above",
        "below",
        "ellipsoid",
        "below-ellipsoid",
        "sea",
        "nan",
        "2^32",
        "too-deep",
    ],
)
def test_altitudes_with_their_reference(path: Path, tags: dict[int, object], altitude_m: float | None):
    position = position_of(path, NORTH | EAST | tags)
    assert position.altitude_m == altitude_m
    assert position.latitude_deg == pytest.approx(55.7055)


@pytest.mark.parametrize(
    "tags",
    [
        {},
        NORTH,
        EAST,
        NORTH | {3: "E"},
        NORTH | EAST | {2: (95.0, 0.0, 0.0)},
        NORTH | EAST | {4: (181.0, 0.0, 0.0)},
        NORTH | EAST | {4: (13.0, 11.0)},
        NORTH | EAST | {4: (13.0, IFDRational(1, 0), 0.0)},
        {1: "N", 2: (0.0, 0.0, 0.0), 3: "E", 4: (0.0, 0.0, 0.0)},
    ],
    ids=["nothing", "latitude", "longitude", "side", "north", "east", "minutes", "nan", "zero"],
)
def test_no_position_where_none_is_known(path: Path, tags: dict[int, object]):
    assert position_of(path, tags) is None


@pytest.mark.parametrize(
    ("reference", "altitude_m"),
    [
        ("1", -80),
        ("\x01", -80),
        (b"1", -80),
        (1, -80),
        ("0", 80),
        ("\x00", 80),
        ("", 80),
        ("ab", 80),
        (None, 80),
        (IFDRational(26, 10), 80),
        (IFDRational(1, 0), 80),
        ((0, 1), 80),
    ],
    ids=repr,
)
def test_references_of_another_type(reference: object, altitude_m: float, monkeypatch: pytest.MonkeyPatch):
    """qgroundcontrol wrote text instead of a byte (mavlink/qgroundcontrol#6800), others a fraction (photoprism#295)."""
    tags = NORTH | EAST | {5: reference, 6: IFDRational(80)}
    monkeypatch.setattr("tiepoint.image.exif._read_tags", lambda *_: tags)
    assert read_position("a.jpg").altitude_m == altitude_m


@pytest.mark.parametrize("reference", ["S", "N", None])
def test_negative_numbers(reference: str | None, monkeypatch: pytest.MonkeyPatch):
    """Some phones store signed fractions (tumic0/GPXSee#260): the side is that of the sign, once."""
    south = {1: reference, 2: (-33.0, -51.0, -30.0)}
    monkeypatch.setattr("tiepoint.image.exif._read_tags", lambda *_: south | EAST | {6: -12.5})
    assert read_position("a.jpg")[:3] == pytest.approx((-33.858333, 13.1925, -12.5))


@pytest.mark.parametrize(("value", "error_m"), [(4.75, 4.75), (0.0, None), (-1.0, None), ("near", None)])
def test_horizontal_error(value: object, error_m: float | None, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tiepoint.image.exif._read_tags", lambda *_: NORTH | EAST | {31: value})
    assert read_position("a.jpg").error_m == error_m


def test_no_position_where_there_is_no_file(tmp_path: Path):
    assert read_position(tmp_path / "missing.jpg") is None


def to_upright(raster: np.ndarray, orientation: int) -> np.ndarray:
    transpose = ORIENTATIONS[orientation].to_upright
    return raster if transpose is None else np.asarray(PIL.Image.fromarray(raster).transpose(transpose))


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_the_columns_of_the_orientation_table_agree(orientation: int):
    raster = np.arange(12, dtype=np.uint8).reshape(3, 4)
    row = ORIENTATIONS[orientation]
    upright = to_upright(raster, orientation)
    assert swap_sides((4, 3), orientation) == upright.shape[::-1]
    stored = upright.T if row.swaps_axes else upright
    stored = stored[:, ::-1] if row.flips_x else stored
    np.testing.assert_array_equal(stored[::-1] if row.flips_y else stored, raster)
    if row.rotation_deg is not None:
        np.testing.assert_array_equal(np.rot90(raster, row.rotation_deg // 90), upright)


@pytest.mark.parametrize("first", ORIENTATIONS)
@pytest.mark.parametrize("second", ORIENTATIONS)
def test_orientations_are_composed_in_order(first: int, second: int):
    raster = np.arange(12, dtype=np.uint8).reshape(3, 4)
    expected = to_upright(to_upright(raster, first), second)
    np.testing.assert_array_equal(to_upright(raster, compose_orientations(first, second)), expected)
