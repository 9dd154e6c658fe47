# The public names: `__init__.py` resolves them lazily from this stub.
from . import utils as utils, viz2d as viz2d
from .aliked import ALIKED as ALIKED
from .disk import DISK as DISK
from .dog_hardnet import DoGHardNet as DoGHardNet
from .lightglue import LightGlue as LightGlue
from .sift import SIFT as SIFT
from .superpoint import SuperPoint as SuperPoint
from .utils import match_pair as match_pair

__all__: list[str]
