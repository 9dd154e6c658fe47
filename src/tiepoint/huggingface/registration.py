"""register: transformers' own `pipeline` and Auto classes return tiepoint's implementation, until `unregister`.

transformers finds the class of a model by its name in the module of the model (`transformers.models.lightglue`), and a
pipeline in a table of tasks. `register` puts tiepoint's classes, which have the same names, into these places.
"""

import importlib
from typing import Any, ClassVar

from tiepoint.huggingface import (
    LightGlueConfig,
    LightGlueForKeypointMatching,
    LightGlueImageProcessor,
    LightGlueImageProcessorFast,
    LightGlueImageProcessorPil,
    LightGluePreTrainedModel,
    SuperPointConfig,
    SuperPointForKeypointDetection,
    SuperPointImageProcessor,
    SuperPointImageProcessorFast,
    SuperPointImageProcessorPil,
    SuperPointPreTrainedModel,
)
from tiepoint.huggingface.pipelines.keypoint_matching import TASK, KeypointMatchingPipeline
from tiepoint.io.optional import import_optional

CLASSES: dict[str, tuple[type, ...]] = {
    "lightglue": (LightGlueConfig, LightGlueForKeypointMatching, LightGluePreTrainedModel),
    "superpoint": (SuperPointConfig, SuperPointForKeypointDetection, SuperPointPreTrainedModel),
}
"""Model -> classes with the name of those that they replace."""

PROCESSORS: dict[str, dict[str, type]] = {
    "lightglue": {
        "LightGlueImageProcessorFast": LightGlueImageProcessorFast,
        "LightGlueImageProcessorPil": LightGlueImageProcessorPil,
    },
    "superpoint": {
        "SuperPointImageProcessorFast": SuperPointImageProcessorFast,
        "SuperPointImageProcessorPil": SuperPointImageProcessorPil,
    },
}
"""Model -> image processors by the name of the class that they replace."""

DEFAULT_PROCESSORS: dict[str, tuple[type, type]] = {
    "lightglue": (LightGlueImageProcessorFast, LightGlueImageProcessor),
    "superpoint": (SuperPointImageProcessorFast, SuperPointImageProcessor),
}
"""Model -> image processor that replaces transformers' default class: in versions with a Pil class, and in others."""


PIPELINE_OPTIONS = (
    "image_processor",
    "feature_extractor",
    "task",
    "device",
    "batch_size",
    "num_workers",
    "threshold",
    "timeout",
)
"""Options of a pipeline that have an effect, among those that transformers' `pipeline` passes."""


class RegisteredPipeline(KeypointMatchingPipeline):
    """The pipeline with the class attributes by which transformers knows which parts to load."""

    default_input_names: ClassVar[None] = None
    _load_processor: ClassVar[bool] = False
    _load_image_processor: ClassVar[bool] = True
    _load_feature_extractor: ClassVar[bool] = False
    _load_tokenizer: ClassVar[bool] = False
    _load_video_processor: ClassVar[bool] = False

    def __init__(self, model: Any, **options: Any) -> None:
        super().__init__(model, **{name: options[name] for name in PIPELINE_OPTIONS if name in options})


_MISSING = object()
_REPLACED: list[tuple[dict[str, Any], str, Any]] = []
"""Namespaces, names, and what they held before `register`; `_MISSING` if transformers imports it on first use."""


def register() -> None:
    """Let transformers' `pipeline` and Auto classes return tiepoint's classes for LightGlue and SuperPoint.

    What was imported from transformers before stays what it is. Calling it twice does nothing more.

    Raises:
        MissingDependency: If transformers is not installed.
    """
    transformers: Any = import_optional("transformers", purpose="register()", install="transformers")
    if _REPLACED:
        return
    for model, classes in CLASSES.items():
        module = importlib.import_module(f"transformers.models.{model}")
        replacements = {each.__name__: each for each in classes} | _processors(model, module)
        for name, replacement in replacements.items():
            _replace(vars(module), name, replacement)
            _replace(vars(transformers), name, replacement)
    tasks = importlib.import_module("transformers.pipelines").PIPELINE_REGISTRY.supported_tasks
    _replace(tasks[TASK], "impl", RegisteredPipeline)


def unregister() -> None:
    """Undo `register`."""
    while _REPLACED:
        namespace, name, original = _REPLACED.pop()
        if original is _MISSING:
            del namespace[name]
        else:
            namespace[name] = original


def _processors(model: str, module: Any) -> dict[str, type]:
    """Return the image processors that replace those of this version of transformers.

    Since 5.1 the class without a suffix resizes with torchvision, and one with the suffix Pil with Pillow; before, the
    former resizes with Pillow, and one with the suffix Fast with torchvision.
    """
    fast, pil = DEFAULT_PROCESSORS[model]
    has_pil = any(name.endswith("ImageProcessorPil") for name in dir(module))
    return {pil.__name__: fast if has_pil else pil} | PROCESSORS[model]


def _replace(namespace: dict[str, Any], name: str, replacement: type) -> None:
    _REPLACED.append((namespace, name, namespace.get(name, _MISSING)))
    namespace[name] = replacement
