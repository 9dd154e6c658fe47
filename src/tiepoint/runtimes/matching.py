"""The matcher of a bundle in the form that the options need."""

from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from tiepoint.errors import InvalidInput
from tiepoint.io.validation import check_integer
from tiepoint.runtimes.bundle import Bundle
from tiepoint.runtimes.lightglue import AdaptiveLightGlue, ImageInputs, PairOutputs, SingleMatcher

AdaptiveChoice: TypeAlias = bool | Literal["depth", "width"]
"""True: early stopping and keypoint pruning; or only one of them; False: neither."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchingOptions:
    """Options of a bundle's matcher, as those of `tiepoint.load`.

    Attributes:
        adaptive: Early stopping and keypoint pruning; "depth" or "width" enables only one.
        pruning_min_keypoints: Prune only images with more keypoints than this; None for that of the bundle.
        max_layers: Maximum number of layers to run; None runs all.

    Raises:
        InvalidInput: If a value is invalid.
    """

    adaptive: AdaptiveChoice = True
    pruning_min_keypoints: int | None = None
    max_layers: int | None = None

    def __post_init__(self) -> None:
        if self.adaptive not in (True, False, "depth", "width"):
            raise InvalidInput(f"adaptive: expected True, False, 'depth' or 'width', got {self.adaptive!r}")
        for name, minimum in (("pruning_min_keypoints", 0), ("max_layers", 1)):
            value = getattr(self, name)
            if value is not None:
                check_integer(name, value, minimum, alternative="None")


class BundleMatcher:
    """The matcher of a bundle.

    Args:
        bundle: Bundle.
        options: Adaptivity and number of layers.
        threads: Number of CPU threads; None leaves it to the runtime.

    Raises:
        InvalidInput: If the bundle lacks the form that an option needs.
        MissingDependency: If the runtime is not installed.
    """

    def __init__(
        self, bundle: Bundle, options: MatchingOptions | None = None, *, threads: int | None = None
    ) -> None:
        options = options or MatchingOptions()
        self.entry = bundle.manifest.matcher
        self.max_layers = options.max_layers
        self._adaptive: AdaptiveLightGlue | None = None
        self._single: SingleMatcher | None = None
        if _uses_single_form(bundle, options):
            self._single = SingleMatcher(bundle, threads=threads)
        else:
            self._adaptive = _open_adaptive(bundle, options, threads)

    def match(self, image0: ImageInputs, image1: ImageInputs) -> PairOutputs:
        """Match two images.

        Args:
            image0: Features of image 0.
            image1: Features of image 1.
        """
        if self._single is not None:
            return self._single.match(image0, image1)
        assert self._adaptive is not None
        return self._adaptive.match(image0, image1, max_layers=self.max_layers)


def _uses_single_form(bundle: Bundle, options: MatchingOptions) -> bool:
    entry = bundle.manifest.matcher
    if entry.type == "nearest":
        return True
    if entry.adaptive is None and options.max_layers is not None:
        raise InvalidInput(
            f"{bundle.folder}: max_layers needs the adaptive form, which was not exported; export it with --form both"
        )
    return entry.adaptive is None or (
        options.adaptive is False and entry.single is not None and options.max_layers is None
    )


def _open_adaptive(bundle: Bundle, options: MatchingOptions, threads: int | None) -> AdaptiveLightGlue:
    matcher = AdaptiveLightGlue(bundle, threads=threads)
    settings, minimum = matcher.settings, options.pruning_min_keypoints
    matcher.settings = replace(
        settings,
        depth_confidence=settings.depth_confidence if options.adaptive in (True, "depth") else -1.0,
        width_confidence=settings.width_confidence if options.adaptive in (True, "width") else -1.0,
        pruning_min_keypoints=settings.pruning_min_keypoints if minimum is None else minimum,
    )
    return matcher
