"""Benchmark: time per stage on this machine, and the recommendations of `tiepoint bench --tune`.

Recommendations are reported only; no setting is changed.
"""

import lazy_loader

__getattr__, _, __all__ = lazy_loader.attach_stub(__name__, __file__)
