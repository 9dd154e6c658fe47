"""Metashape: cameras.xml with all intrinsics and poses; bundle.out and list.txt with the tie points.

    cameras.xml           sensors with calibration, cameras with poses (File > Import > Import Cameras, Agisoft XML)
    bundle.out, list.txt  the same cameras with tie points and their projections (Import Cameras, Bundler)

Poses are camera-to-chunk with x to the right and y down; principal points are offsets from the middle of the image;
pixels have (0, 0) at the corner of the top-left pixel. P1 and P2 are OpenCV's p2 and p1; B1 is the difference between
both focal lengths.

Source: Agisoft, Metashape Professional User Manual, appendix "Camera models".
"""

import os
from collections import Counter
from pathlib import Path, PurePosixPath
from xml.etree import ElementTree as ET

import numpy as np

from tiepoint.collection.collection import Collection
from tiepoint.collection.export.bundler import check_bundler, write_bundle
from tiepoint.collection.export.output_paths import make_output_folder
from tiepoint.collection.export.positions import NOT_IN_XML
from tiepoint.collection.export.sparse_model import ModelCamera, ModelImage, SparseModel, read_sparse_model
from tiepoint.errors import InvalidInput
from tiepoint.io.folders import staged_files

CAMERAS = "cameras.xml"
VERSION = "1.5.0"


def export_metashape(collection: Collection, folder: str | os.PathLike[str] | None = None) -> Path:
    """Write the cameras of the reconstruction as Agisoft's XML, and its tie points in Bundler's format.

    Bundler's files are left out, with a warning, if they cannot hold a camera.

    Args:
        collection: Reconstructed collection from `open_collection`.
        folder: Output folder, created if needed. None: `exports/metashape` in the collection's folder.

    Returns:
        The output folder.

    Raises:
        InvalidInput: If there is no reconstruction, two images have one label, or a file cannot be written.
        MissingDependency: If pycolmap is not installed.
    """
    model = read_sparse_model(collection)
    text = to_camera_xml(model)
    target = make_output_folder(folder, collection.folder / "exports" / "metashape")
    with staged_files(target) as staging:
        (staging / CAMERAS).write_text(text, encoding="utf-8")
        try:
            check_bundler(model)
        except InvalidInput as error:
            collection.on_warning(f"metashape: no tie points are written: {error}")
        else:
            write_bundle(model, staging)
    return target


def to_camera_xml(model: SparseModel) -> str:
    """Return the content of cameras.xml.

    Args:
        model: Reconstruction.

    Raises:
        InvalidInput: If two images have one label.
    """
    labels = _labels(model)
    document = ET.Element("document", version=VERSION)
    chunk = ET.SubElement(document, "chunk", label="tiepoint", enabled="true")
    sensors = ET.SubElement(chunk, "sensors", next_id=str(len(model.cameras)))
    for index, camera in enumerate(model.cameras):
        _add_sensor(sensors, index, camera)
    cameras = ET.SubElement(chunk, "cameras", next_id=str(len(model.images)), next_group_id="0")
    for index, (image, label) in enumerate(zip(model.images, labels, strict=True)):
        _add_camera(cameras, index, image, label)
    ET.indent(document)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(document, encoding="unicode")}\n'


def _labels(model: SparseModel) -> list[str]:
    """Return file names without suffix, by which Metashape finds the images of a chunk."""
    labels = [NOT_IN_XML.sub("\ufffd", PurePosixPath(image.name).stem) for image in model.images]
    label, count = Counter(labels).most_common(1)[0]
    if count > 1:
        same = [image.name for image, other in zip(model.images, labels, strict=True) if other == label]
        raise InvalidInput(
            f"Metashape finds images by their file name without suffix, which {same[0]!r} and {same[1]!r} have in common; "
            "rename one of them"
        )
    return labels


def _add_sensor(sensors: ET.Element, index: int, camera: ModelCamera) -> None:
    sensor = ET.SubElement(sensors, "sensor", id=str(index), label=f"camera {index}", type="frame")
    width, height = map(str, camera.image_size)
    ET.SubElement(sensor, "resolution", width=width, height=height)
    calibration = ET.SubElement(sensor, "calibration", {"type": "frame", "class": "adjusted"})
    ET.SubElement(calibration, "resolution", width=width, height=height)
    for name, value in calibration_values(camera).items():
        ET.SubElement(calibration, name).text = repr(float(value))


def calibration_values(camera: ModelCamera) -> dict[str, float]:
    """Return the intrinsics by Metashape's names.

    Args:
        camera: Camera of the model.
    """
    (width, height), (k1, k2, p1, p2) = camera.image_size, camera.distortion
    return {
        "f": camera.fy,
        "cx": camera.cx - width / 2,
        "cy": camera.cy - height / 2,
        "b1": camera.fx - camera.fy,
        "k1": k1,
        "k2": k2,
        "p1": p2,
        "p2": p1,
    }


def _add_camera(cameras: ET.Element, index: int, image: ModelImage, label: str) -> None:
    camera = ET.SubElement(cameras, "camera", id=str(index), sensor_id=str(image.camera), label=label)
    pose = np.vstack([image.world_from_cam, [0, 0, 0, 1]])
    ET.SubElement(camera, "transform").text = " ".join(map(repr, pose.ravel().tolist()))
    ET.SubElement(camera, "orientation").text = "1"
