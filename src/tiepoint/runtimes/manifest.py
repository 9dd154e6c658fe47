"""The manifest of a bundle: what its graphs are, and all numbers that a host needs to run them.

docs/reference describes the file for readers of other languages; the classes here are the same, field by field.
"""

from dataclasses import dataclass
from typing import Literal

FORMAT = "tiepoint-bundle"
FORMAT_VERSION = 1
"""Raised when an older reader would misread a bundle."""

MANIFEST, PARITY = "manifest.json", "parity.json"

Target = Literal["onnx", "openvino", "opencv"]
MatcherType = Literal["lightglue", "nearest"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorEntry:
    """One input or output of a graph.

    Attributes:
        name: Name of the tensor.
        dtype: NumPy's name of the type.
        shape: Sizes; a string names a size that is open.
    """

    name: str
    dtype: str
    shape: tuple[int | str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphEntry:
    """One graph.

    Attributes:
        name: Name by which the manifest refers to it.
        file: File in the bundle.
        inputs: Inputs, in order.
        outputs: Outputs, in order.
    """

    name: str
    file: str
    inputs: tuple[TensorEntry, ...]
    outputs: tuple[TensorEntry, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileEntry:
    """One file of the bundle.

    Attributes:
        name: Path in the bundle.
        bytes: Size.
        sha256: Digest of the content.
    """

    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionEntry:
    """Version of a package that wrote the bundle."""

    package: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Preprocessing:
    """From an upright image to the input of the extractor.

    Attributes:
        color: Order of the channels.
        value_range: Range of the values.
        layout: Order of the dimensions.
        interpolation: "bilinear-antialias": a triangle filter that is as wide as the reduction, per axis.
        resize: Longer side in px; None keeps the size.
        upscale: Enlarge images whose longer side is below `resize`.
        size_multiple: Then both sides are reduced to the next lower multiples of this many px, at least one.
        min_side: Minimum side in px of the input.
        fixed_size: The only size (width, height) in px of the input; None if it is open.
    """

    color: str = "rgb"
    value_range: tuple[float, float] = (0.0, 1.0)
    layout: str = "nchw"
    interpolation: str = "bilinear-antialias"
    resize: int | None
    upscale: bool
    size_multiple: int
    min_side: int
    fixed_size: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractorEntry:
    """The extractor.

    Attributes:
        name: Name of the network.
        kind: Kind of its features; a matcher accepts its own kind only.
        fingerprint: Digest of the kind and all settings.
        license: License of the weights.
        graph: Name of the graph.
        descriptor_dim: Descriptor dimension.
        max_keypoints: Maximum number of keypoints: default of the input `max_keypoints`, or the fixed maximum; None
            means all.
        fixed_keypoints: Whether the maximum was fixed by the export; there is no input `max_keypoints` then.
        detection_threshold: Minimum score (exclusive) of a keypoint.
        preprocessing: From an image to the input.
    """

    name: str
    kind: str
    fingerprint: str
    license: str
    graph: str
    descriptor_dim: int
    max_keypoints: int | None
    fixed_keypoints: bool = False
    detection_threshold: float
    preprocessing: Preprocessing


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaptiveEntry:
    """The adaptive form: graphs for a loop in the host.

    Attributes:
        encode: Name of the graph that runs once per image.
        layers: Names of the graphs of the layers.
        assign: Names of the graphs that match after each layer.
        depth_confidence: Stop when more than this fraction of the keypoints is confident; <= 0 disables it.
        width_confidence: Prune confident keypoints that are unmatchable with at least this probability; <= 0 disables
            it.
        pruning_min_keypoints: Prune only images with more keypoints than this.
        confidence_thresholds: Confidence from which on a keypoint is confident, after each layer but the last.
    """

    encode: str
    layers: tuple[str, ...]
    assign: tuple[str, ...]
    depth_confidence: float
    width_confidence: float
    pruning_min_keypoints: int
    confidence_thresholds: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MatcherEntry:
    """The matcher.

    Attributes:
        name: Name of the weights, or of the method.
        type: Type of the matcher.
        kind: Kind of features that it accepts; "" accepts any.
        fingerprint: Digest of the weights and all settings.
        license: License of the weights.
        input_dim: Descriptor dimension.
        layers: Number of layers of the network; 0 without a network.
        position_dim: Number of values per keypoint position: 2, or 4 with scale and orientation.
        filter_threshold: Minimum match score (exclusive), part of the graphs.
        max_ratio: Maximum ratio of the ratio test, part of the graph; None without it.
        adaptive: The adaptive form, if the bundle contains it.
        single: Name of the graph of the single form, if the bundle contains it.
    """

    name: str
    type: MatcherType
    kind: str
    fingerprint: str
    license: str
    input_dim: int
    layers: int = 0
    position_dim: int = 2
    filter_threshold: float
    max_ratio: float | None = None
    adaptive: AdaptiveEntry | None = None
    single: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """Content of `manifest.json`.

    Attributes:
        format: Always "tiepoint-bundle".
        format_version: Version of the format.
        name: Preset, or name of the folder.
        target: Runtime for which the graphs were written.
        precision: Floating-point type of the weights; inputs and outputs are float32.
        portable: Whether the graphs keep to standard operators that all runtimes have.
        opset: Version of ONNX's standard operators.
        keypoints: Convention of keypoint coordinates.
        extractor: The extractor.
        matcher: The matcher.
        graphs: All graphs.
        files: All other files of the bundle, with their digests; `parity.json` may be added later and is not listed.
        versions: Packages that wrote the bundle.
    """

    format: str = FORMAT
    format_version: int = FORMAT_VERSION
    name: str
    target: Target
    precision: str
    portable: bool
    opset: int
    keypoints: str = "(x, y) in px of the extractor's input; the center of the top-left pixel is (0, 0)"
    extractor: ExtractorEntry
    matcher: MatcherEntry
    graphs: tuple[GraphEntry, ...]
    files: tuple[FileEntry, ...]
    versions: tuple[VersionEntry, ...]
