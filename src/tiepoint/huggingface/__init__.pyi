# The public names: `__init__.py` resolves them lazily from this stub.
from .auto import (
    AutoConfig as AutoConfig,
    AutoModel as AutoModel,
    AutoModelForKeypointDetection as AutoModelForKeypointDetection,
    AutoModelForKeypointMatching as AutoModelForKeypointMatching,
)
from .configuration.configs import (
    ALIKEDDetectorConfig as ALIKEDDetectorConfig,
    DISKDetectorConfig as DISKDetectorConfig,
    LightGlueConfig as LightGlueConfig,
    SuperPointConfig as SuperPointConfig,
    XFeatDetectorConfig as XFeatDetectorConfig,
)
from .conversion import (
    from_transformers as from_transformers,
    to_transformers as to_transformers,
)
from .image_processing.auto import (
    AutoImageProcessor as AutoImageProcessor,
)
from .image_processing.batch_feature import (
    BatchFeature as BatchFeature,
)
from .image_processing.inputs import (
    load_image as load_image,
)
from .image_processing.processors import (
    LightGlueImageProcessor as LightGlueImageProcessor,
    LightGlueImageProcessorFast as LightGlueImageProcessorFast,
    LightGlueImageProcessorPil as LightGlueImageProcessorPil,
    SuperPointImageProcessor as SuperPointImageProcessor,
    SuperPointImageProcessorFast as SuperPointImageProcessorFast,
    SuperPointImageProcessorPil as SuperPointImageProcessorPil,
)
from .models.lightglue import (
    LightGlueForKeypointMatching as LightGlueForKeypointMatching,
    LightGluePreTrainedModel as LightGluePreTrainedModel,
)
from .models.outputs import (
    LightGlueKeypointMatchingOutput as LightGlueKeypointMatchingOutput,
    SuperPointKeypointDescriptionOutput as SuperPointKeypointDescriptionOutput,
)
from .models.superpoint import (
    SuperPointForKeypointDetection as SuperPointForKeypointDetection,
    SuperPointPreTrainedModel as SuperPointPreTrainedModel,
)
from .pipelines.factory import (
    KeypointMatchingPipeline as KeypointMatchingPipeline,
    pipeline as pipeline,
)
from .registration import (
    register as register,
    unregister as unregister,
)

__all__: list[str]
