"""The transformers interface (class and function names of Hugging Face) on top of tiepoint's networks.

Usage: `from tiepoint import pipeline, AutoImageProcessor, AutoModelForKeypointMatching`.

auto              AutoConfig, AutoModel, AutoModelForKeypointMatching, AutoModelForKeypointDetection
configuration     LightGlueConfig, SuperPointConfig and the configurations of tiepoint's other detectors
image_processing  LightGlueImageProcessor, SuperPointImageProcessor (PIL), …Fast (torch); image_processing_auto
modeling          LightGlueForKeypointMatching
superpoint        SuperPointForKeypointDetection
pipeline          pipeline, KeypointMatchingPipeline
conversion        from_transformers, to_transformers: convert models in memory
"""

from tiepoint.huggingface.auto import (
    AutoConfig,
    AutoModel,
    AutoModelForKeypointDetection,
    AutoModelForKeypointMatching,
)
from tiepoint.huggingface.batch_feature import BatchFeature
from tiepoint.huggingface.configuration import (
    ALIKEDDetectorConfig,
    DISKDetectorConfig,
    LightGlueConfig,
    SuperPointConfig,
)
from tiepoint.huggingface.conversion import from_transformers, to_transformers
from tiepoint.huggingface.image_inputs import load_image
from tiepoint.huggingface.image_processing import (
    LightGlueImageProcessor,
    LightGlueImageProcessorFast,
    LightGlueImageProcessorPil,
    SuperPointImageProcessor,
    SuperPointImageProcessorFast,
    SuperPointImageProcessorPil,
)
from tiepoint.huggingface.image_processing_auto import AutoImageProcessor
from tiepoint.huggingface.modeling import LightGlueForKeypointMatching, LightGluePreTrainedModel
from tiepoint.huggingface.outputs import LightGlueKeypointMatchingOutput, SuperPointKeypointDescriptionOutput
from tiepoint.huggingface.pipeline import KeypointMatchingPipeline, pipeline
from tiepoint.huggingface.superpoint import SuperPointForKeypointDetection, SuperPointPreTrainedModel

__all__ = [
    "ALIKEDDetectorConfig",
    "AutoConfig",
    "AutoImageProcessor",
    "AutoModel",
    "AutoModelForKeypointDetection",
    "AutoModelForKeypointMatching",
    "BatchFeature",
    "DISKDetectorConfig",
    "KeypointMatchingPipeline",
    "LightGlueConfig",
    "LightGlueForKeypointMatching",
    "LightGlueImageProcessor",
    "LightGlueImageProcessorFast",
    "LightGlueImageProcessorPil",
    "LightGlueKeypointMatchingOutput",
    "LightGluePreTrainedModel",
    "SuperPointConfig",
    "SuperPointForKeypointDetection",
    "SuperPointImageProcessor",
    "SuperPointImageProcessorFast",
    "SuperPointImageProcessorPil",
    "SuperPointKeypointDescriptionOutput",
    "SuperPointPreTrainedModel",
    "from_transformers",
    "load_image",
    "pipeline",
    "to_transformers",
]
