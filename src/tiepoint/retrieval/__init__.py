"""Find the images of a folder that show the same scene as a query image.

ranking         find: rank the images of a folder by the verification of their matches with the query
feature_cache   features of image files, kept between queries
"""

import lazy_loader

__getattr__, _, __all__ = lazy_loader.attach_stub(__name__, __file__)
