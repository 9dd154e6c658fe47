"""The transformers interface (class and function names of Hugging Face) on top of tiepoint's networks.

Usage: `from tiepoint import pipeline, AutoImageProcessor, AutoModelForKeypointMatching`.

auto              AutoConfig, AutoModel, AutoModelForKeypointMatching, AutoModelForKeypointDetection
configuration/    LightGlueConfig, SuperPointConfig and the configurations of tiepoint's other detectors
image_processing/ AutoImageProcessor, LightGlue's and SuperPoint's image processors: PIL, and …Fast (torch)
models/           LightGlueForKeypointMatching, SuperPointForKeypointDetection, their checkpoints and outputs
pipelines/        pipeline, KeypointMatchingPipeline
hub               files of repositories; options and loader_options: keyword options of loaders
conversion        from_transformers, to_transformers: convert models in memory
registration      register, unregister: tiepoint's classes in transformers' own pipeline and Auto classes

`__init__.pyi` lists the public names; they are imported on first use.
"""

import lazy_loader

__getattr__, _, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __dir__() -> list[str]:
    return sorted(__all__)
