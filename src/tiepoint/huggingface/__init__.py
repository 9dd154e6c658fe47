"""The names that users of transformers know, over this package's networks.

from tiepoint import pipeline, AutoImageProcessor, AutoModelForKeypointMatching

configuration     LightGlueConfig, SuperPointConfig and those of our other detectors
image_processing  AutoImageProcessor, LightGlueImageProcessor, LightGlueImageProcessorFast
modeling          LightGlueForKeypointMatching, AutoModelForKeypointMatching
pipeline          pipeline, KeypointMatchingPipeline
conversion        from_transformers, to_transformers: live models, either way
"""

from tiepoint.huggingface.configuration import (
    ALIKEDDetectorConfig,
    DISKDetectorConfig,
    LightGlueConfig,
    SuperPointConfig,
)
from tiepoint.huggingface.conversion import from_transformers, to_transformers
from tiepoint.huggingface.image_processing import (
    AutoImageProcessor,
    LightGlueImageProcessor,
    LightGlueImageProcessorFast,
    LightGlueImageProcessorPil,
)
from tiepoint.huggingface.modeling import AutoModelForKeypointMatching, LightGlueForKeypointMatching
from tiepoint.huggingface.outputs import LightGlueKeypointMatchingOutput
from tiepoint.huggingface.pipeline import KeypointMatchingPipeline, pipeline

__all__ = [
    "ALIKEDDetectorConfig",
    "AutoImageProcessor",
    "AutoModelForKeypointMatching",
    "DISKDetectorConfig",
    "KeypointMatchingPipeline",
    "LightGlueConfig",
    "LightGlueForKeypointMatching",
    "LightGlueImageProcessor",
    "LightGlueImageProcessorFast",
    "LightGlueImageProcessorPil",
    "LightGlueKeypointMatchingOutput",
    "SuperPointConfig",
    "from_transformers",
    "pipeline",
    "to_transformers",
]
