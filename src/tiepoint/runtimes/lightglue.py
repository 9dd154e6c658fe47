"""LightGlue of a bundle: the loop over its layers in the host, or its single graph.

The loop is that of `models.lightglue.inference`, for one pair: early stopping and pruning decide as the package does.
Comparisons are in float32, as there: a threshold is rounded to float32 before it is compared.

Source: LightGlue (arXiv 2306.13643), section 3.3, "Adaptive depth and width".
"""

from dataclasses import dataclass, replace

import numpy as np

from tiepoint.runtimes.bundle import Bundle
from tiepoint.runtimes.manifest import AdaptiveEntry
from tiepoint.runtimes.sessions import Arrays, Session


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageInputs:
    """Features of one image.

    Attributes:
        keypoints: Keypoints (x, y) in px, float32, shape (n, 2).
        image_size: Size (width, height) in px of the image that the keypoints belong to.
        descriptors: Descriptors, float32, shape (n, d).
        scales: Keypoint sizes in px, float32, shape (n,), if the weights need them.
        orientations: Keypoint orientations in rad, float32, shape (n,), if the weights need them.
    """

    keypoints: np.ndarray
    image_size: tuple[int, int]
    descriptors: np.ndarray
    scales: np.ndarray | None = None
    orientations: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.keypoints)

    def arrays(self, suffix: str = "") -> Arrays:
        """Return the inputs of a graph, with the suffix of the image."""
        values = {
            "keypoints": self.keypoints,
            "image_size": np.asarray(self.image_size, np.float32),
            "descriptors": self.descriptors,
            "scales": self.scales,
            "orientations": self.orientations,
        }
        return {f"{name}{suffix}": value for name, value in values.items() if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class PairOutputs:
    """Matches of a pair of m and n keypoints, as `Assignment`.

    Attributes:
        matches0: Index in image 1 of the match of each keypoint of image 0, or -1, shape (m,).
        matches1: Index in image 0 of the match of each keypoint of image 1, or -1, shape (n,).
        matching_scores0: Score of the mutual nearest neighbor of each keypoint of image 0, or 0, shape (m,).
        matching_scores1: Score of the mutual nearest neighbor of each keypoint of image 1, or 0, shape (n,).
        prune0: 1 + number of prunings that each keypoint of image 0 survived; the number of layers without pruning.
        prune1: Same for the keypoints of image 1.
        layers_run: Number of layers that ran.
        stopped_by: Reason why no further layer ran.
    """

    matches0: np.ndarray
    matches1: np.ndarray
    matching_scores0: np.ndarray
    matching_scores1: np.ndarray
    prune0: np.ndarray
    prune1: np.ndarray
    layers_run: int
    stopped_by: str


class AdaptiveLightGlue:
    """The adaptive form: early stopping and pruning in the host.

    Args:
        bundle: Bundle with the adaptive form.
        threads: Number of CPU threads; None leaves it to the runtime.

    Attributes:
        settings: Entry of the manifest; replace its thresholds to change the adaptivity.
    """

    def __init__(self, bundle: Bundle, *, threads: int | None = None) -> None:
        adaptive = bundle.manifest.matcher.adaptive
        assert adaptive is not None
        self.settings: AdaptiveEntry = adaptive
        self._encode = bundle.session(adaptive.encode, threads=threads)
        self._layers = [bundle.session(name, threads=threads) for name in adaptive.layers]
        self._assign = [bundle.session(name, threads=threads) for name in adaptive.assign]

    def match(
        self, image0: ImageInputs, image1: ImageInputs, *, max_layers: int | None = None
    ) -> PairOutputs:
        """Match two images.

        Args:
            image0: Features of image 0.
            image1: Features of image 1.
            max_layers: Maximum number of layers to run; None runs all.
        """
        pair = _Pair(self.settings, len(self._layers), (len(image0), len(image1)))
        if 0 in pair.counts:
            return pair.result(None, 0, "no_keypoints")
        pair.tokens = [self._encode.run(image.arrays()) for image in (image0, image1)]
        last = min(max_layers or len(self._layers), len(self._layers)) - 1
        for layer in range(last):
            outputs = pair.run_layer(self._layers[layer])
            if pair.should_stop(layer, outputs):
                return pair.result(self._assign[layer], layer + 1, "confidence")
            pair.prune(layer, outputs)
            if pair.is_empty:
                return pair.result(None, layer + 1, "no_keypoints")
        pair.run_layer(self._layers[last])
        reason = "last_layer" if last + 1 == len(self._layers) else "max_layers"
        return pair.result(self._assign[last], last + 1, reason)


class _Pair:
    """The verbs of the loop, with the tokens that are left."""

    def __init__(self, settings: AdaptiveEntry, layers: int, counts: tuple[int, int]) -> None:
        self.settings = settings
        self.counts = counts
        self.tokens: list[Arrays] = []
        self.indices = [np.arange(count) for count in counts]
        self.prune_counts = [
            np.full(count, 1 if settings.width_confidence > 0 else layers, np.int64) for count in counts
        ]

    @property
    def is_empty(self) -> bool:
        """Whether an image has no tokens left."""
        return any(len(indices) == 0 for indices in self.indices)

    def run_layer(self, session: Session) -> Arrays:
        """Run a layer, and keep its tokens."""
        inputs = {
            f"{name}{image}": tokens[name]
            for image, tokens in enumerate(self.tokens)
            for name in ("tokens", "rotation")
        }
        outputs = session.run(inputs)
        for image, tokens in enumerate(self.tokens):
            tokens["tokens"] = outputs[f"next_tokens{image}"]
        return outputs

    def should_stop(self, layer: int, outputs: Arrays) -> bool:
        """Return whether enough keypoints are confident; pruned ones count as confident."""
        if self.settings.depth_confidence <= 0:
            return False
        threshold = np.float32(self.settings.confidence_thresholds[layer])
        unsure = sum(int((outputs[f"confidence{image}"] < threshold).sum()) for image in (0, 1))
        fraction = np.float32(1) - np.float32(unsure) / np.float32(sum(self.counts))
        return bool(fraction > np.float32(self.settings.depth_confidence))

    def prune(self, layer: int, outputs: Arrays) -> None:
        """Drop confident keypoints that are probably unmatchable."""
        for image, indices in enumerate(self.indices):
            if self.settings.width_confidence > 0 and len(indices) > self.settings.pruning_min_keypoints:
                kept = self._kept(layer, outputs[f"matchability{image}"], outputs[f"confidence{image}"])
                self.indices[image] = indices[kept]
                self.prune_counts[image][indices[kept]] += 1
                if not kept.all():
                    self.tokens[image] = {name: rows[kept] for name, rows in self.tokens[image].items()}

    def _kept(self, layer: int, matchability: np.ndarray, confidence: np.ndarray) -> np.ndarray:
        kept = matchability > np.float32(1 - self.settings.width_confidence)
        if self.settings.depth_confidence > 0:
            kept |= confidence <= np.float32(self.settings.confidence_thresholds[layer])
        return kept

    def result(self, assign: Session | None, layers_run: int, stopped_by: str) -> PairOutputs:
        """Match the remaining tokens, and number them as the original keypoints; no session means no matches."""
        result = no_matches(*self.counts, prune=tuple(self.prune_counts))
        result = replace(result, layers_run=layers_run, stopped_by=stopped_by)
        if assign is None:
            return result
        found = assign.run({f"tokens{image}": tokens["tokens"] for image, tokens in enumerate(self.tokens)})
        for image, own, other in ((0, *self.indices), (1, *self.indices[::-1])):
            matches = found[f"matches{image}"]
            getattr(result, f"matches{image}")[own] = np.where(matches < 0, -1, other[matches])
            getattr(result, f"matching_scores{image}")[own] = found[f"matching_scores{image}"]
        return result


class SingleMatcher:
    """The single form: one graph for a pair.

    Args:
        bundle: Bundle with the single form.
        threads: Number of CPU threads; None leaves it to the runtime.
    """

    def __init__(self, bundle: Bundle, *, threads: int | None = None) -> None:
        entry = bundle.manifest.matcher
        assert entry.single is not None
        self._session = bundle.session(entry.single, threads=threads)
        self._names = bundle.input_names(entry.single)
        self._layers = entry.layers

    def match(self, image0: ImageInputs, image1: ImageInputs) -> PairOutputs:
        """Match two images.

        Args:
            image0: Features of image 0.
            image1: Features of image 1.
        """
        prune = tuple(np.full(len(image), self._layers or 1, np.int64) for image in (image0, image1))
        result = no_matches(len(image0), len(image1), prune=prune)
        if len(image0) == 0 or len(image1) == 0:
            return result
        arrays = image0.arrays("0") | image1.arrays("1")
        found = self._session.run({name: arrays[name] for name in self._names})
        names = ("matches0", "matches1", "matching_scores0", "matching_scores1")
        reason = "last_layer" if self._layers else "no_layers"
        return replace(
            result, **{name: found[name] for name in names}, layers_run=self._layers, stopped_by=reason
        )


def no_matches(m: int, n: int, *, prune: tuple[np.ndarray, ...]) -> PairOutputs:
    """Return the outputs of a pair of m and n keypoints without matches."""
    prune0, prune1 = prune
    return PairOutputs(
        matches0=np.full(m, -1, np.int64),
        matches1=np.full(n, -1, np.int64),
        matching_scores0=np.zeros(m, np.float32),
        matching_scores1=np.zeros(n, np.float32),
        prune0=prune0,
        prune1=prune1,
        layers_run=0,
        stopped_by="no_keypoints",
    )
