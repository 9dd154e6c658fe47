"""Cost models with round numbers, and a clock that only moves when it is told to."""

from tiepoint.matching.latency.cost_model import CostModel, ExtractionCost, TokenCost

EXTRACTION = ExtractionCost(constant=0.01, per_resized_pixel=0.0, per_pixel=0.0, per_keypoint=1e-5)
LAYER = TokenCost(constant=0.0, per_token=1e-5, per_token_pair=0.0)
ASSIGNMENT = TokenCost(constant=0.001, per_token=0.0, per_token_pair=0.0)
FREE = TokenCost(constant=0.0, per_token=0.0, per_token_pair=0.0)


def costs(layers: int = 9, layer: TokenCost = LAYER) -> CostModel:
    """10 ms per image and 10 us per keypoint; per layer 10 us per token; 1 ms for the assignment."""
    return CostModel(extraction=EXTRACTION, layer=layer, assignment=ASSIGNMENT, layers=layers)


class FakeClock:
    """A clock in seconds.

    Args:
        step: Seconds by which every reading moves it.
    """

    def __init__(self, step: float = 0.0) -> None:
        self.now = 100.0
        self.step = step

    def __call__(self) -> float:
        self.now += self.step
        return self.now
