"""GPS positions as GeoJSON and KML, read back."""

import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from tests.helpers.synthetic_collections import NAMES, make_collection

from tiepoint.collection.collection import Collection
from tiepoint.collection.export.positions import KML_NAMESPACE, export_geojson, export_kml
from tiepoint.errors import InvalidInput
from tiepoint.image.exif import GPSPosition


@pytest.fixture
def collection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Collection:
    """Three images: with altitude and a strange name, without altitude, without GPS."""
    found, _ = make_collection(tmp_path, NAMES[:3])
    positions = [GPSPosition(48.2, 11.5, 520.0), GPSPosition(-33.123456789, -70.5), None]
    names = ["a<&>\x07.jpg", *(image.name for image in found.images[1:])]
    images = [
        replace(image, position=position, name=name)
        for image, position, name in zip(found.images, positions, names, strict=True)
    ]
    monkeypatch.setattr(Collection, "images", tuple(images))
    return found


def test_geojson(collection: Collection) -> None:
    content = json.loads(export_geojson(collection).read_text())
    assert content["type"] == "FeatureCollection"
    assert [each["geometry"]["coordinates"] for each in content["features"]] == [
        [11.5, 48.2, 520.0],
        [-70.5, -33.12345679],
    ]
    assert content["features"][0]["properties"] == {"image": "a<&>\x07.jpg"}


def test_kml(collection: Collection) -> None:
    root = ET.parse(export_kml(collection)).getroot()
    names = {"kml": KML_NAMESPACE}
    placemarks = root.findall("kml:Document/kml:Placemark", names)
    found = [placemark.findtext("kml:Point/kml:coordinates", namespaces=names) for placemark in placemarks]
    assert found == ["11.5,48.2,520.0", "-70.5,-33.12345679"]
    assert placemarks[0].findtext("kml:name", namespaces=names) == "a<&>\ufffd.jpg"
    modes = [placemark.findtext("kml:Point/kml:altitudeMode", namespaces=names) for placemark in placemarks]
    assert modes == ["absolute", "clampToGround"]


def test_images_without_gps_are_an_error(tmp_path: Path) -> None:
    collection, _ = make_collection(tmp_path, NAMES[:2])
    for export in (export_geojson, export_kml):
        with pytest.raises(InvalidInput, match="none of the 2 images has a GPS position"):
            export(collection)
    assert not (collection.folder / "exports" / "images.kml").exists()
