# The public names: `__init__.py` resolves them lazily from this stub.
from .feature_cache import (
    FeatureCache as FeatureCache,
)
from .ranking import (
    Ranking as Ranking,
    find as find,
    find_to_files as find_to_files,
)

__all__: list[str]
