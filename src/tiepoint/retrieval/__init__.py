"""One photograph against a folder of others: which ones show the same place, best first.

ranking  find: a query and a folder become a ranking
cache    features of files, kept from one query to the next
"""

from tiepoint.retrieval.feature_cache import FeatureCache
from tiepoint.retrieval.ranking import Ranking, find, find_to_files

__all__ = ["FeatureCache", "Ranking", "find", "find_to_files"]
