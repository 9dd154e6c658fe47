"""The transformers interface (class and function names of Hugging Face) on top of tiepoint's networks.

Usage: `from tiepoint import pipeline, AutoImageProcessor, AutoModelForKeypointMatching`.

configuration     LightGlueConfig, SuperPointConfig and the configurations of tiepoint's other detectors
image_processing  AutoImageProcessor, LightGlueImageProcessor, LightGlueImageProcessorFast
modeling          LightGlueForKeypointMatching, AutoModelForKeypointMatching
pipeline          pipeline, KeypointMatchingPipeline
conversion        from_transformers, to_transformers: convert models in memory
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
