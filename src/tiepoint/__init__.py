"""tiepoint: two images in, tie points out.

    import tiepoint
    result = tiepoint.match("a.jpg", "b.jpg")
    result.points0, result.points1, result.scores

`__init__.pyi` lists the public names; they are imported on first use, so `import tiepoint` takes milliseconds and
does not import torch.
"""

import lazy_loader

__version__ = "0.1.0"

__getattr__, _, __all__ = lazy_loader.attach_stub(__name__, __file__)
__all__ += ["__version__"]


def __dir__() -> list[str]:
    return sorted(__all__)
