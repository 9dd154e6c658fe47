"""What a collection lacks of what its last run asked for: whoever writes something of it leaves that out, and says so."""

from tiepoint.collection.collection import Collection
from tiepoint.collection.state import read_selected_pairs, resume_hint, pairs_are_current


def warn_incomplete(collection: Collection) -> str:
    """Tell `collection.tell` what is missing, if anything is.

    Returns:
        The line that was told; "" where nothing is missing.

    Raises:
        StoreError: as for `Collection.pairs`.
    """
    line = describe_missing(collection)
    if line:
        collection.tell(line)
    return line


def describe_missing(collection: Collection) -> str:
    """What is missing of what the last run asked for, and what to do, in one line; "" where nothing is.

    Raises:
        StoreError: as for `Collection.pairs`.
    """
    found = [*_photographs(collection), *_choice(collection), *_pairs(collection)]
    if not found:
        return ""
    remedy = resume_hint(collection.folder, collection.state)
    return f"{collection.folder} isn't complete: {', '.join(found)}; {remedy}"


def _photographs(collection: Collection) -> list[str]:
    usable = {photograph.name for photograph in collection.photographs}
    names = [photograph.name for photograph in collection.state.photographs]
    lost = [name for name in names if name not in usable]
    return (
        [f"{len(lost):,} of {len(names):,} photographs without features, such as {lost[0]!r}"] if lost else []
    )


def _choice(collection: Collection) -> list[str]:
    """Photographs may have lost their features since the pairs were chosen; that is another gap."""
    state = collection.state
    of_these = (collection.photographs, state.photographs)
    if any(pairs_are_current(collection.folder, state, photographs) for photographs in of_these):
        return []
    return ["the last run ended before it chose its pairs among these photographs"]


def _pairs(collection: Collection) -> list[str]:
    chosen = sum(1 for _ in read_selected_pairs(collection.folder))
    matched = verified = 0
    for pair in collection.pairs():
        matched += 1
        verified += collection.is_verified(*pair)
    found = []
    if matched < chosen:
        found.append(f"{chosen - matched:,} of {chosen:,} chosen pairs without matches or features")
    if collection.state.options.get("verify") and verified < matched:
        found.append(
            f"{matched - verified:,} of {matched:,} matched pairs not verified, so that all matches count"
        )
    return found
