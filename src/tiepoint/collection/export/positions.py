"""GeoJSON and KML: where the images were taken, by the GPS positions in their EXIF data, for QGIS and Google Earth.

Source: RFC 7946 (GeoJSON: longitude, latitude, altitude in m; WGS 84); OGC KML 2.3.
"""

import json
import os
import re
from pathlib import Path
from xml.etree import ElementTree as ET

from tiepoint.collection.collection import Collection
from tiepoint.collection.export.output_paths import output_file
from tiepoint.collection.images import ImageRecord
from tiepoint.errors import InvalidInput
from tiepoint.io.atomic import atomic_write

KML_NAMESPACE = "http://www.opengis.net/kml/2.2"
NOT_IN_XML = re.compile("[\x00-\x08\x0b-\x1f\ud800-\udfff\ufffe\uffff]")
NUM_DIGITS = 8  # of degrees: a millimeter


def export_geojson(collection: Collection, file: str | os.PathLike[str] | None = None) -> Path:
    """Write the GPS positions of the images as GeoJSON points.

    Args:
        collection: Collection from `open_collection`.
        file: Output file. None: `exports/images.geojson` in the collection's folder.

    Returns:
        The output file.

    Raises:
        InvalidInput: If no image has a GPS position, or the file cannot be written.
    """
    features = [
        {
            "type": "Feature",
            "geometry": {"type": "Point", "coordinates": _coordinates(image)},
            "properties": {"image": image.name},
        }
        for image in _located(collection)
    ]
    text = json.dumps({"type": "FeatureCollection", "features": features})
    return _write(text, output_file(file, collection.folder / "exports" / "images.geojson"))


def export_kml(collection: Collection, file: str | os.PathLike[str] | None = None) -> Path:
    """Write the GPS positions of the images as KML placemarks.

    Args:
        collection: Collection from `open_collection`.
        file: Output file. None: `exports/images.kml` in the collection's folder.

    Returns:
        The output file.

    Raises:
        InvalidInput: If no image has a GPS position, or the file cannot be written.
    """
    root = ET.Element("kml", xmlns=KML_NAMESPACE)
    document = ET.SubElement(root, "Document")
    for image in _located(collection):
        placemark = ET.SubElement(document, "Placemark")
        ET.SubElement(placemark, "name").text = NOT_IN_XML.sub("\ufffd", image.name)
        point = ET.SubElement(placemark, "Point")
        has_altitude = image.position is not None and image.position.altitude_m is not None
        mode = "absolute" if has_altitude else "clampToGround"
        ET.SubElement(point, "altitudeMode").text = mode
        ET.SubElement(point, "coordinates").text = ",".join(map(repr, _coordinates(image)))
    ET.indent(root)
    text = ET.tostring(root, encoding="unicode")
    declaration = '<?xml version="1.0" encoding="UTF-8"?>\n'
    return _write(declaration + text, output_file(file, collection.folder / "exports" / "images.kml"))


def _located(collection: Collection) -> list[ImageRecord]:
    found = [image for image in collection.images if image.position is not None]
    if not found:
        raise InvalidInput(
            f"none of the {len(collection.images)} images has a GPS position in its EXIF data, so there is nothing to export"
        )
    return found


def _coordinates(image: ImageRecord) -> list[float]:
    """Return longitude and latitude in degrees, and the altitude in m if it is known."""
    position = image.position
    assert position is not None, "only located images are written"
    degrees = [round(position.longitude_deg, NUM_DIGITS), round(position.latitude_deg, NUM_DIGITS)]
    return degrees if position.altitude_m is None else [*degrees, position.altitude_m]


def _write(text: str, path: Path) -> Path:
    with atomic_write(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")
    return path
