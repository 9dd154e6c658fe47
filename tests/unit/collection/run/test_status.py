"""Status: finished, missing and damaged records per stage."""

from pathlib import Path

import pytest
from tests.helpers.synthetic_collections import make_collection

from tiepoint.collection.collection import Collection
from tiepoint.collection.run.status import read_status
from tiepoint.collection.state import write_state
from tiepoint.errors import InvalidInput, StoreError
from tiepoint.feature_store.keys import pair_key


@pytest.fixture
def collection(tmp_path: Path) -> Collection:
    collection, _ = make_collection(tmp_path)
    collection.state.options["verify"] = True
    write_state(collection.folder, collection.state)
    return collection


def numbers(collection: Collection) -> dict[str, tuple[int, int, int]]:
    return {
        stage.name: (stage.done, stage.missing, len(stage.damaged))
        for stage in read_status(collection.folder).stages
    }


@pytest.mark.slow
def test_complete(collection: Collection):
    assert numbers(collection) == {"extract": (6, 0, 0), "match": (15, 0, 0), "verify": (15, 0, 0)}
    assert read_status(collection.folder).is_complete


@pytest.mark.slow
@pytest.mark.parametrize("how", ["cut off", "one bit"])
def test_damaged_records_become_missing(collection: Collection, how: str):
    path = sorted(collection.folder.glob("stores/matches-*/matches/*.h5"))[3]
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content[:-10] if how == "cut off" else content)
    status = read_status(collection.folder)
    if how == "one bit" and status.is_complete:
        pytest.fail("the flipped bit was in unused space of the HDF5 file; choose another")
    assert path.name in status.damaged[0]
    assert numbers(collection) == {"extract": (6, 0, 0), "match": (14, 1, 0), "verify": (15, 0, 0)}


@pytest.mark.slow
def test_missing_records(collection: Collection):
    for path in collection.folder.glob("stores/verified-*/verified/*.h5"):
        path.unlink()
    assert numbers(collection)["verify"] == (0, 15, 0)
    assert not read_status(collection.folder).is_complete


def test_collection_without_verification(collection: Collection):
    collection.state.options["verify"] = False
    write_state(collection.folder, collection.state)
    assert "verify" not in numbers(collection)


@pytest.mark.slow
def test_pairs_of_another_selection_are_not_current(collection: Collection):
    """As after a kill between writing the state and the pairs."""
    collection.state.options["pairs"] = "sequential:2"
    write_state(collection.folder, collection.state)
    status = read_status(collection.folder)
    assert numbers(collection)["match"] == (15, 0, 0)
    assert not status.pairs_are_current
    assert not status.is_complete


@pytest.mark.slow
@pytest.mark.parametrize("text", ["", "a.jpg b.jpg\n", None], ids=["empty", "other pairs", "missing"])
def test_pairs_without_provenance_are_not_current(collection: Collection, text: str | None):
    path = collection.folder / "pairs.txt"
    path.unlink() if text is None else path.write_text(text)
    assert not read_status(collection.folder).is_complete


def test_damaged_pairs_file(collection: Collection):
    with (collection.folder / "pairs.txt").open("a") as file:
        file.write("x" * 131_073)
    with pytest.raises(StoreError, match=r"pairs\.txt is damaged .*tiepoint collection pairs "):
        read_status(collection.folder)


@pytest.mark.slow
def test_damage_names_the_command(collection: Collection):
    path = sorted(collection.folder.glob("stores/matches-*/matches/*.h5"))[0]
    path.write_bytes(path.read_bytes()[:-10])
    (line,) = read_status(collection.folder).damaged
    assert line.endswith(f"; to compute what is missing, run: tiepoint collection verify {collection.folder}")


@pytest.mark.slow
def test_pair_keys_are_not_kept_in_memory(collection: Collection, monkeypatch: pytest.MonkeyPatch):
    alive = most = 0

    class Key(str):
        def __init__(self, _: str) -> None:
            nonlocal alive, most
            alive += 1
            most = max(most, alive)

        def __del__(self) -> None:
            nonlocal alive
            alive -= 1

    monkeypatch.setattr("tiepoint.collection.run.status.pair_key", lambda images: Key(pair_key(images)))
    assert read_status(collection.folder).is_complete
    assert 0 < most < 5


def test_no_collection(tmp_path: Path):
    with pytest.raises(InvalidInput, match="not a tiepoint collection"):
        read_status(tmp_path)
