"""Image processors: AutoImageProcessor picks the plain or the fast one by the name of a model."""

import os
from typing import Any

from tiepoint.errors import InvalidInput
from tiepoint.huggingface.image_processing_fast import LightGlueImageProcessorFast
from tiepoint.huggingface.image_processing_pil import LightGlueImageProcessor, LightGlueImageProcessorPil

__all__ = [
    "AutoImageProcessor",
    "LightGlueImageProcessor",
    "LightGlueImageProcessorFast",
    "LightGlueImageProcessorPil",
]

BACKENDS: dict[str, type[LightGlueImageProcessor] | type[LightGlueImageProcessorFast]] = {
    "torch": LightGlueImageProcessorFast,
    "torchvision": LightGlueImageProcessorFast,
    "pil": LightGlueImageProcessor,
}
"""What resizes; this package's torch does what transformers does with torchvision."""


class AutoImageProcessor:
    """Makes image processors; it can't be instantiated."""

    def __init__(self) -> None:
        raise InvalidInput("use AutoImageProcessor.from_pretrained(name_or_folder)")

    @classmethod
    def from_pretrained(
        cls,
        name_or_folder: str | os.PathLike[str],
        *,
        use_fast: bool | None = None,
        backend: str | None = None,
        **options: Any,
    ) -> LightGlueImageProcessor | LightGlueImageProcessorFast:
        """The fast processor of a model, unless the plain one is asked for.

        Args:
            name_or_folder: a preset of this package, a folder, or a repository on the hub.
            use_fast: False: the plain one.
            backend: "torch" or "torchvision": the fast one; "pil": the plain one; None or "auto": by `use_fast`.
            **options: as for `LightGlueImageProcessor.from_pretrained`.

        Raises:
            InvalidInput: `use_fast` and `backend` contradict each other, or as for that method.
            WeightsError: as for that method.
        """
        if backend in (None, "auto"):
            backend = "pil" if use_fast is False else "torch"
        if backend not in BACKENDS:
            raise InvalidInput(f"backend must be one of auto, {', '.join(BACKENDS)}, but is {backend!r}")
        if use_fast is not None and use_fast == (backend == "pil"):
            raise InvalidInput(f"use_fast={use_fast} contradicts backend={backend!r}; pass one of them")
        return BACKENDS[backend].from_pretrained(name_or_folder, **options)
