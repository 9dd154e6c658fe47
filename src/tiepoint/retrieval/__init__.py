"""Find the images of a folder that show the same scene as a query image.

ranking         find: rank the images of a folder by the verification of their matches with the query
feature_cache   features of image files, kept between queries
"""

from tiepoint.retrieval.feature_cache import FeatureCache
from tiepoint.retrieval.ranking import Ranking, find, find_to_files

__all__ = ["FeatureCache", "Ranking", "find", "find_to_files"]
