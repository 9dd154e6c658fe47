"""The interface of cvg/LightGlue: replace `lightglue` by `tiepoint.compat.lightglue` in imports.

    from tiepoint.compat.lightglue import LightGlue, ALIKED
    from tiepoint.compat.lightglue.utils import load_image, rbd

Modules, classes, functions, options and dictionaries have the names of the original, and results are the same.
`__init__.pyi` lists the public names; they are imported on first use.

Source: https://github.com/cvg/LightGlue (interface only).
"""

import lazy_loader

__getattr__, _, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __dir__() -> list[str]:
    return sorted(__all__)
