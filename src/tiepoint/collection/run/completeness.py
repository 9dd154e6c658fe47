"""Completeness of a collection: exports and reports leave out missing data and warn about it."""

from tiepoint.collection.collection import Collection
from tiepoint.collection.pairs.pairs_file import pairs_are_current, read_selected_pairs
from tiepoint.collection.state import resume_hint


def warn_incomplete(collection: Collection) -> str:
    """Call `collection.on_warning` if data that the last run should have computed is missing.

    Returns:
        The message; "" if nothing is missing.

    Raises:
        StoreError: If the file of the selected pairs is damaged.
    """
    message = describe_missing(collection)
    if message:
        collection.on_warning(message)
    return message


def describe_missing(collection: Collection) -> str:
    """Return a one-line message about missing data and how to compute it; "" if nothing is missing.

    Raises:
        StoreError: If the file of the selected pairs is damaged.
    """
    missing = [*_missing_features(collection), *_missing_selection(collection), *_missing_pairs(collection)]
    if not missing:
        return ""
    hint = resume_hint(collection.folder, collection.state)
    return f"{collection.folder} is incomplete: {', '.join(missing)}; {hint}"


def _missing_features(collection: Collection) -> list[str]:
    usable = {image.name for image in collection.images}
    names = [image.name for image in collection.state.images]
    missing = [name for name in names if name not in usable]
    if not missing:
        return []
    return [f"{len(missing):,} of {len(names):,} images have no features, for example {missing[0]!r}"]


def _missing_selection(collection: Collection) -> list[str]:
    """Check the pair selection; images that lost their features since are reported by `_missing_features`."""
    state = collection.state
    candidates = (collection.images, state.images)
    if any(pairs_are_current(collection.folder, state, images) for images in candidates):
        return []
    return ["the last run ended before it selected pairs among these images"]


def _missing_pairs(collection: Collection) -> list[str]:
    selected = sum(1 for _ in read_selected_pairs(collection.folder))
    matched = verified = 0
    for pair in collection.pairs():
        matched += 1
        verified += collection.is_verified(*pair)
    missing = []
    if matched < selected:
        missing.append(f"{selected - matched:,} of {selected:,} selected pairs have no matches or features")
    if collection.state.options.get("verify") and verified < matched:
        missing.append(
            f"{matched - verified:,} of {matched:,} matched pairs are not verified, so all their matches are used"
        )
    return missing
