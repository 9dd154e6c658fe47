"""Options of the export."""

# The library validates values of users without a type checker.
# pyright: reportUnnecessaryIsInstance=false

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from tiepoint.errors import InvalidInput
from tiepoint.io.messages import unknown_name
from tiepoint.io.validation import check_integer
from tiepoint.runtimes.manifest import Target
from tiepoint.types.features import to_image_size

Form: TypeAlias = Literal["adaptive", "single", "both"]
Precision: TypeAlias = Literal["float32", "float16"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportOptions:
    """Options of `export_bundle` that determine the graphs.

    Attributes:
        target: Runtime of the graphs.
        form: Form of the matcher: "adaptive" for a loop over layers in the host, "single" for one graph, or "both".
            OpenCV takes one graph: "both" writes the single form only.
        image_size: The only size (width, height) in px of the extractor's input; None leaves it open.
        max_keypoints: Fixed maximum number of keypoints per image; None leaves it open, except for OpenCV, where the
            preset's is fixed. Images with fewer keypoints return fewer.
        precision: Floating-point type of the weights.
        portable: Keep to standard operators that all runtimes have.

    Raises:
        InvalidInput: If a value is unknown or out of range.
    """

    target: Target = "onnx"
    form: Form = "both"
    image_size: tuple[int, int] | None = None
    max_keypoints: int | None = None
    precision: Precision = "float32"
    portable: bool = False

    def __post_init__(self) -> None:
        for name, value, known in (
            ("target", self.target, get_args(Target)),
            ("form", self.form, get_args(Form)),
            ("precision", self.precision, get_args(Precision)),
        ):
            if value not in known:
                raise InvalidInput(unknown_name(name, value, known))
        if self.target == "opencv":
            self._check_opencv()
        if self.image_size is not None:
            object.__setattr__(self, "image_size", to_image_size(self.image_size))
        if self.max_keypoints is not None:
            check_integer("max_keypoints", self.max_keypoints, 1, alternative="None")

    def _check_opencv(self) -> None:
        if self.form == "adaptive":
            raise InvalidInput(
                "form 'adaptive' is unsupported for OpenCV, whose LightGlueMatcher takes one graph; use form 'single'"
            )
        object.__setattr__(self, "form", "single")
        object.__setattr__(self, "portable", True)
