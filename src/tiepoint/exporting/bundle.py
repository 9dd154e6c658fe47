"""export_bundle: a preset as a folder that runs without PyTorch."""

import os
import platform
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Unpack, cast

from tiepoint.api import load
from tiepoint.errors import InvalidInput, MissingDependency
from tiepoint.exporting.block_graphs import fused_attention, plain_attention
from tiepoint.exporting.description import extractor_entry, matcher_entry
from tiepoint.exporting.extractor_graphs import extractor_graph
from tiepoint.exporting.graphs import Graph
from tiepoint.exporting.matcher_graphs import (
    assign_graph,
    encode_graph,
    layer_graph,
    nearest_graph,
    single_graph,
)
from tiepoint.exporting.onnx_models import OPSET, save_onnx, tensor_entries, to_onnx, with_weights_of
from tiepoint.exporting.opencv_graphs import opencv_extractor_graph, opencv_matcher_graph, opencv_problem
from tiepoint.exporting.opencv_models import rewrite_for_opencv
from tiepoint.exporting.openvino_models import onnx_to_openvino
from tiepoint.exporting.options import ExportOptions
from tiepoint.exporting.parity import COUNTS, ParityReport, check_parity, measure_parity
from tiepoint.exporting.source import Source, license_text, source_of
from tiepoint.image import Image, ImageSource, read_image
from tiepoint.image.sample_pair import motorcycle
from tiepoint.io.config import to_dict
from tiepoint.io.folders import replace_folder
from tiepoint.io.hashing import file_digest
from tiepoint.io.serialization import write_json
from tiepoint.io.temporary import TemporaryFolder
from tiepoint.io.versions import installed_versions
from tiepoint.matching.lightglue import LightGlueMatcher
from tiepoint.matching.mutual_nearest import NearestMatcher
from tiepoint.models.detector import Detector
from tiepoint.models.lightglue.fused_layers import fuse
from tiepoint.runtimes.bundle import Bundle, is_bundle
from tiepoint.runtimes.manifest import MANIFEST, PARITY, FileEntry, GraphEntry, Manifest, VersionEntry
from tiepoint.runtimes.sessions import runtime_name
from tiepoint.types.options import LoadOptions

LICENSES = "LICENSES.txt"

PACKAGES = ("tiepoint", "torch", "onnx", "onnxscript", "onnxruntime", "openvino", "opencv-python-headless")
"""Packages whose versions a manifest lists."""


def export_bundle(
    preset: str | os.PathLike[str],
    output: str | os.PathLike[str],
    options: ExportOptions | None = None,
    *,
    images: Sequence[ImageSource] = (),
    **load_options: Unpack[LoadOptions],
) -> ParityReport:
    """Write a preset as a bundle: extractor and matcher as separate models, and a manifest.

    Args:
        preset: Name of a preset, or folder of a trained model.
        output: Folder of the bundle; an existing bundle is replaced when the new one is complete.
        options: Target and form of the graphs.
        images: Images of the parity report; neighbors in the list are matched. None given: the sample pair, if
            scikit-image is installed.
        **load_options: Options of `tiepoint.load`; those that determine features and matches become part of the bundle.

    Returns:
        The parity report, as in `parity.json`.

    Raises:
        InvalidInput: If the preset or an option is unknown, the output exists and is not a bundle, or the graphs do not
            agree with the package.
        WeightsError: If weights cannot be found, downloaded or loaded.
        MissingDependency: If the libraries of the target are not installed.
    """
    check_output(output)
    load_options.pop("dtype", None)  # networks are exported in float32; `precision` is that of the bundle
    load_options |= {"device": "cpu"}
    decoded = [read_image(image) for image in images or _sample_images()]
    source = source_of(preset, load(preset, **load_options))
    options = options or ExportOptions()
    check_source(source, options)
    return write_bundle(source, output, options, images=decoded)


def check_source(source: Source, options: ExportOptions) -> None:
    """Refuse what has no graphs: features without a network, an adaptive form of a network without confidences.

    Args:
        source: Matcher to export.
        options: Target and form of the graphs.

    Raises:
        InvalidInput: If there are no graphs for the extractor, for the form, or for OpenCV.
    """
    if not isinstance(source.matcher.extractor.network, Detector):
        raise InvalidInput(
            f"cannot export {source.name}: its extractor {source.extractor.name} is not a network but OpenCV's detector; run it in the host"
        )
    matcher = source.matcher.matcher
    if options.target == "opencv" and (problem := opencv_problem(matcher)):
        raise InvalidInput(
            f"cannot export {source.name} for OpenCV: {problem}; export it to onnx or openvino"
        )
    is_adaptive = not isinstance(matcher, LightGlueMatcher) or matcher.network.shape.token_confidence
    if not is_adaptive and options.form != "single":
        raise InvalidInput(
            f"cannot export {source.name} in form {options.form!r}: its network predicts no confidence of tokens, so it "
            "has no early stopping and no pruning; use form 'single'"
        )


def _sample_images() -> Sequence[ImageSource]:
    try:
        return motorcycle()[:2]
    except MissingDependency:
        return ()


def check_output(output: str | os.PathLike[str]) -> Path:
    """Check that a bundle can be written, before starting.

    Raises:
        InvalidInput: If the path exists and is not a bundle, or its folder does not exist.
    """
    path = Path(output)
    if path.exists() and not is_bundle(path) and not (path.is_dir() and not any(path.iterdir())):
        raise InvalidInput(
            f"cannot write the bundle {path}: it exists and is not a bundle; choose another name"
        )
    if not path.absolute().parent.is_dir():
        raise InvalidInput(f"cannot write the bundle {path}: its folder does not exist; create it first")
    return path


def write_bundle(
    source: Source,
    output: str | os.PathLike[str],
    options: ExportOptions,
    *,
    images: Sequence[Image] = (),
    counts: Sequence[tuple[int, int]] = COUNTS,
) -> ParityReport:
    """Write a loaded matcher as a bundle.

    Args:
        source: Matcher to export.
        output: Folder of the bundle.
        options: Target and form of the graphs.
        images: Real images of the parity report.
        counts: Numbers of keypoints of its random pairs.

    Raises:
        InvalidInput: If the output exists and is not a bundle, or cannot be written, or the graphs do not agree with the
            package.
        MissingDependency: If the libraries of the target are not installed.
    """
    path = check_output(output)
    try:
        with TemporaryFolder("export", path.absolute().parent) as staging:
            folder = staging / "bundle"
            folder.mkdir()
            manifest = _write_files(source, folder, options)
            bundle = Bundle(folder, manifest)
            report = measure_parity(source, bundle, images, runtime_name(options.target), counts)
            check_parity(report)
            write_json(to_dict(report), folder / PARITY)
            replace_folder(folder, path)
    except OSError as error:
        raise InvalidInput(f"cannot write the bundle {path}: {error.strerror or error}") from error
    return report


def _write_files(source: Source, folder: Path, options: ExportOptions) -> Manifest:
    graphs = tuple(
        _write_graph(name, model, source, folder, options) for name, model in _models(source, options)
    )
    (folder / LICENSES).write_text(license_text(source), encoding="utf-8")
    manifest = Manifest(
        name=source.name,
        target=options.target,
        precision=options.precision,
        portable=options.portable,
        opset=OPSET,
        extractor=extractor_entry(source, options),
        matcher=matcher_entry(source, options),
        graphs=graphs,
        files=tuple(_file_entry(path, folder) for path in sorted(folder.rglob("*")) if path.is_file()),
        versions=(
            VersionEntry(package="python", version=platform.python_version()),
            *(
                VersionEntry(package=name, version=value)
                for name, value in installed_versions(PACKAGES).items()
            ),
        ),
    )
    write_json(to_dict(manifest), folder / MANIFEST)
    return manifest


def _write_graph(name: str, model: Any, source: Source, folder: Path, options: ExportOptions) -> GraphEntry:
    path = folder / f"{name}.onnx"
    properties = {
        "bundle": source.name,
        "kind": source.matcher.extractor.settings.kind,
        "fingerprint": source.matcher.fingerprint,
        "license": f"{source.extractor.license}; {source.weights.license}",
        "keypoints": "(x, y) in px; the center of the top-left pixel is (0, 0)",
    }
    half = options.precision == "float16"
    save_onnx(model, path, properties, half=half and options.target != "openvino")
    if options.target == "openvino":
        path = onnx_to_openvino(path, half=half)
    elif options.target == "opencv":
        rewrite_for_opencv(path)
    return GraphEntry(
        name=name,
        file=path.name,
        inputs=tensor_entries(model.graph.inputs),
        outputs=tensor_entries(model.graph.outputs),
    )


def _file_entry(path: Path, folder: Path) -> FileEntry:
    return FileEntry(
        name=path.relative_to(folder).as_posix(), bytes=path.stat().st_size, sha256=file_digest(path)
    )


def _models(source: Source, options: ExportOptions) -> Iterator[tuple[str, Any]]:
    """Yield the name and the ONNX model of every graph."""
    if options.target == "opencv":
        yield from _opencv_models(source, options)
        return
    extractor = source.matcher.extractor
    graph = extractor_graph(
        cast(Detector, extractor.network),
        detection_threshold=extractor.settings.detection_threshold,
        image_size=options.image_size,
        max_keypoints=options.max_keypoints,
        deform_operator=_uses_special_operators(options),
    )
    yield graph.name, to_onnx(graph)
    if isinstance(source.matcher.matcher, LightGlueMatcher):
        yield from _lightglue_models(source.matcher.matcher, options)
    else:
        assert isinstance(source.matcher.matcher, NearestMatcher)
        graph = nearest_graph(source.matcher.matcher.settings, extractor.descriptor_dim)
        yield graph.name, to_onnx(graph)


def _opencv_models(source: Source, options: ExportOptions) -> Iterator[tuple[str, Any]]:
    extractor, matcher = source.matcher.extractor, source.matcher.matcher
    assert isinstance(matcher, LightGlueMatcher | NearestMatcher)
    for graph in (
        opencv_extractor_graph(
            cast(Detector, extractor.network),
            detection_threshold=extractor.settings.detection_threshold,
            image_size=options.image_size,
            max_keypoints=options.max_keypoints or extractor.settings.max_keypoints,
        ),
        opencv_matcher_graph(matcher, extractor.descriptor_dim),
    ):
        yield graph.name, to_onnx(graph)


def _lightglue_models(matcher: LightGlueMatcher, options: ExportOptions) -> Iterator[tuple[str, Any]]:
    network = fuse(matcher.network)
    attend = fused_attention if _uses_special_operators(options) else plain_attention
    threshold = matcher.settings.filter_threshold
    layers = range(network.shape.layers)
    if options.form != "single":
        graph = encode_graph(network)
        yield graph.name, to_onnx(graph)
        yield from _same_structure([layer_graph(network, layer, attend) for layer in layers[:-1]])
        yield from _same_structure([layer_graph(network, layers[-1], attend)])
        yield from _same_structure([assign_graph(network, layer, threshold) for layer in layers])
    if options.form != "adaptive":
        graph = single_graph(network, attend, threshold)
        yield graph.name, to_onnx(graph)


def _same_structure(graphs: list[Graph]) -> Iterator[tuple[str, Any]]:
    """Translate the first graph only; the others differ in the weights. Each model is valid until the next one."""
    model = to_onnx(graphs[0]) if graphs else None
    for graph in graphs:
        yield graph.name, with_weights_of(model, graph.module)


def _uses_special_operators(options: ExportOptions) -> bool:
    return options.target == "onnx" and not options.portable
