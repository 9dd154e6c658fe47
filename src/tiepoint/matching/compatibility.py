"""Wrong features are an error, not zero matches: what is asked of features before they are matched."""

from collections.abc import Sequence

from tiepoint.errors import InvalidInput
from tiepoint.types import Features

FeaturePair = tuple[Features, Features]


def check_pairs(pairs: Sequence[FeaturePair], *, kind: str = "", descriptor_dim: int | None = None) -> None:
    """Check that every pair can be matched.

    Args:
        pairs: features of image 0 and image 1.
        kind: the only kind that the matcher takes beside the user's own (""); "" = any, but equal in a pair.
        descriptor_dim: columns that the matcher takes; None = any, but equal in a pair.

    Raises:
        InvalidInput: not a pair of Features, features of another kind, descriptors of another dimension.
    """
    for number, pair in enumerate(pairs):
        if not _is_pair(pair):
            raise InvalidInput(
                f"pair {number} must be two Features (features0, features1), but is {_describe(pair)}; "
                "make them with matcher.extract(image)"
            )
        for features in pair:
            _check_device(features)
            _check_kind(features, kind or pair[0].kind)
            _check_dim(features, descriptor_dim or pair[0].descriptors.shape[1], kind)


def _is_pair(pair: object) -> bool:
    return isinstance(pair, Sequence) and len(pair) == 2 and all(isinstance(item, Features) for item in pair)


def _describe(pair: object) -> str:
    if not isinstance(pair, Sequence) or isinstance(pair, str):
        return type(pair).__name__
    return f"({', '.join(type(item).__name__ for item in pair)})"


def _check_device(features: Features) -> None:
    if features.device.type == "meta":
        raise InvalidInput(
            f"features{_of(features)} lie on the device 'meta', which holds no values; extract them on a real one"
        )


def _check_kind(features: Features, expected: str) -> None:
    if features.kind and expected and features.kind != expected:
        raise InvalidInput(
            f"features{_of(features)} were made by {features.kind!r}, but {expected!r} is expected here; "
            "extract both images with the preset that matches them"
        )


def _check_dim(features: Features, expected: int, kind: str) -> None:
    columns = features.descriptors.shape[1]
    if columns != expected:
        raise InvalidInput(
            f"descriptors{_of(features)} have {columns} columns, but {expected} are expected"
            f"{f' by the matcher for {kind!r}' if kind else ''}; were they extracted with another preset?"
        )


def _of(features: Features) -> str:
    return f" of {features.source}" if features.source else ""
