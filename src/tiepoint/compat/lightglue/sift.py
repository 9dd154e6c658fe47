"""SIFT is not available; the class says what to use."""

from typing import NoReturn

from tiepoint.errors import InvalidInput


class SIFT:
    """SIFT of cvg/LightGlue is not available.

    Raises:
        InvalidInput: Always; the message says what to use.
    """

    def __init__(self, **conf: object) -> None:
        refuse(type(self).__name__)


def refuse(name: str) -> NoReturn:
    """Raise the error of an extractor that is not available.

    Args:
        name: Name of the class.
    """
    raise InvalidInput(
        f"{name} is not available in tiepoint; use ALIKED with LightGlue(features='aliked'), or "
        "pass keypoints, descriptors, scales and oris of your own detector to LightGlue(features='sift', "
        "weights='sift_lightglue.pth')"
    )
