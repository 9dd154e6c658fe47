"""Cards of weak images and of the pairs with the most inliers."""

import shutil
from pathlib import Path

import pytest
from tests.helpers.synthetic_collections import PLAIN_NAMES, make_collection

from tiepoint.collection.collection import Collection
from tiepoint.collection.report.html_view import write_html_view
from tiepoint.collection.report.pair_cards import pair_result, strong_pair_cards, weak_image_cards
from tiepoint.collection.report.statistics import compute_statistics
from tiepoint.html.pair_viewers import PairViewers


@pytest.fixture
def collection(tmp_path: Path) -> Collection:
    return make_collection(tmp_path, PLAIN_NAMES[:3])[0]


def test_cards_have_two_pictures_and_a_pair(collection: Collection) -> None:
    statistics, edges = compute_statistics(collection, None)
    viewers = PairViewers()
    weak = weak_image_cards(viewers, collection, statistics)
    strong = strong_pair_cards(viewers, collection, edges)
    assert {card["lines"][0] for card in weak} == set(PLAIN_NAMES[:3])
    assert len(strong) == len(edges)
    assert len(viewers.pictures) == 3
    assert [card["pair"] for card in weak + strong] == list(range(len(viewers.pairs)))
    best = [statistics[card["lines"][0]].best_pair for card in weak]
    assert best == sorted(best)


def test_the_best_pair_has_the_most_inliers(collection: Collection) -> None:
    statistics, edges = compute_statistics(collection, None)
    for name, image in statistics.items():
        inliers = [edge.verified for edge in edges if name in (edge.name0, edge.name1)]
        assert image.best_pair is not None
        assert image.best_pair.inliers == max(inliers)


def test_a_pair_has_the_matches_of_the_collection(collection: Collection) -> None:
    names = next(collection.pairs())
    result = pair_result(collection, *names)
    assert len(result) == len(collection.matches(*names)[0])


def test_images_that_are_gone_have_no_card(collection: Collection) -> None:
    statistics, _ = compute_statistics(collection, None)
    for image in collection.images:
        Path(image.path).unlink()
    viewers = PairViewers()
    assert weak_image_cards(viewers, collection, statistics) == []
    assert viewers.pictures == []
    assert "<h2>Weak images</h2>" not in write_html_view(collection).read_text(encoding="utf-8")
    shutil.rmtree(collection.folder)
