# The public names: `__init__.py` resolves them lazily from this stub.
from . import (
    bench as bench,
    collection as collection,
    evaluation as evaluation,
    extraction as extraction,
    feature_store as feature_store,
    geometry as geometry,
    huggingface as huggingface,
    image as image,
    matching as matching,
    models as models,
    registration as registration,
    retrieval as retrieval,
    stitching as stitching,
    training as training,
    types as types,
    video as video,
    visualization as visualization,
    weights as weights,
)
from .api import (
    load as load,
    load_matcher as load_matcher,
    match as match,
    match_nearest as match_nearest,
)
from .collection.collection import (
    Collection as Collection,
    open_collection as open_collection,
)
from .collection.export.colmap_database import export_colmap as export_colmap
from .collection.run.runner import match_collection as match_collection
from .collection.sfm.extension import extend_reconstruction as extend_reconstruction
from .collection.sfm.localization import localize as localize
from .collection.sfm.reconstruction import reconstruct as reconstruct
from .errors import (
    InvalidInput as InvalidInput,
    MissingDependency as MissingDependency,
    TiepointError as TiepointError,
    WeightsError as WeightsError,
)
from .feature_matcher import FeatureMatcher as FeatureMatcher
from .feature_store.other_formats import read_features as read_features
from .geometry.alignment import estimate_alignment as estimate_alignment
from .geometry.estimate import (
    estimate_affine as estimate_affine,
    estimate_essential as estimate_essential,
    estimate_fundamental as estimate_fundamental,
    estimate_homography as estimate_homography,
    estimate_relative_pose as estimate_relative_pose,
    estimate_similarity as estimate_similarity,
)
from .geometry.pair_verification import PairVerification as PairVerification
from .huggingface import (
    AutoConfig as AutoConfig,
    AutoImageProcessor as AutoImageProcessor,
    AutoModel as AutoModel,
    AutoModelForKeypointDetection as AutoModelForKeypointDetection,
    AutoModelForKeypointMatching as AutoModelForKeypointMatching,
    KeypointMatchingPipeline as KeypointMatchingPipeline,
    LightGlueConfig as LightGlueConfig,
    LightGlueForKeypointMatching as LightGlueForKeypointMatching,
    LightGlueImageProcessor as LightGlueImageProcessor,
    LightGlueImageProcessorFast as LightGlueImageProcessorFast,
    LightGlueImageProcessorPil as LightGlueImageProcessorPil,
    LightGlueKeypointMatchingOutput as LightGlueKeypointMatchingOutput,
    LightGluePreTrainedModel as LightGluePreTrainedModel,
    SuperPointConfig as SuperPointConfig,
    SuperPointForKeypointDetection as SuperPointForKeypointDetection,
    SuperPointImageProcessor as SuperPointImageProcessor,
    SuperPointImageProcessorFast as SuperPointImageProcessorFast,
    SuperPointKeypointDescriptionOutput as SuperPointKeypointDescriptionOutput,
    load_image as load_image,
    pipeline as pipeline,
)
from .image import (
    Image as Image,
    read_image as read_image,
)
from .matcher import Matcher as Matcher
from .presets import PRESETS as PRESETS
from .registration.register import register as register, register_many as register_many
from .result import MatchResult as MatchResult
from .retrieval import (
    Ranking as Ranking,
    find as find,
)
from .stitching.panorama import stitch as stitch
from .training.config import TrainConfig as TrainConfig
from .training.train import train as train
from .types import (
    Assignment as Assignment,
    Camera as Camera,
    Correspondences as Correspondences,
    Features as Features,
    TwoViewEstimate as TwoViewEstimate,
)
from .video import (
    Tracker as Tracker,
    Tracks as Tracks,
    track as track,
)

__version__: str
__all__: list[str]
