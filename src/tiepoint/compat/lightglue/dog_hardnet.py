"""DoGHardNet is not available; the class says what to use."""

from tiepoint.compat.lightglue.sift import SIFT


class DoGHardNet(SIFT):
    """DoGHardNet of cvg/LightGlue is not available.

    Raises:
        InvalidInput: Always; the message says what to use.
    """
