"""Benchmark: time per stage on this machine, and the recommendations of `tiepoint bench --tune`.

Recommendations are reported only; no setting is changed. The cost model for latency budgets is measured again and kept.
"""

import lazy_loader

__getattr__, _, __all__ = lazy_loader.attach_stub(__name__, __file__)
