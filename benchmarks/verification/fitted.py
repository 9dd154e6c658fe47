"""Rows of `tiepoint.geometry.pair_verification.MODELS`: the preset and the half of the scenes that each is fitted on."""

from dataclasses import dataclass

from benchmarks.verification.pairs import Half


@dataclass(frozen=True)
class Fitted:
    """Preset and half of the scenes that a row is fitted on; it is tested on the other half."""

    preset: str
    half: Half = "fit"

    @property
    def held_out_half(self) -> Half:
        """The half of the scenes that was not fitted."""
        return "test" if self.half == "fit" else "fit"


FITTED = {
    "lightglue": Fitted("aliked+lightglue"),
    "nearest": Fitted("aliked+nearest"),
    "xfeat+lightglue": Fitted("xfeat+lighterglue", half="test"),
    "xfeat+nearest": Fitted("xfeat+nearest", half="test"),
    "sift+nearest": Fitted("sift+nearest"),
}
"""Row of `MODELS` -> what it is fitted on. A new row needs any coefficients in `MODELS` before it is fitted."""


def held_out_half(preset: str) -> Half:
    """Return the half on which a preset is tested; presets with the coefficients of another one: "test"."""
    halves: list[Half] = [fitted.held_out_half for fitted in FITTED.values() if fitted.preset == preset]
    return halves[0] if halves else "test"
