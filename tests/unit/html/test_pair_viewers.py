"""Several pairs in one page: shared pictures, numbers, estimates."""

import pytest
from tests.helpers.viewer_pairs import SHIFT, empty_pair, estimate_of, images, shifted_pair

from tiepoint.html.pair_viewers import PairViewers, estimate_for_page
from tiepoint.image import read_image


def test_pictures_are_embedded_once() -> None:
    viewers = PairViewers()
    image0, image1 = map(read_image, images())
    assert [
        viewers.add_picture(key, image) for key, image in (("a", image0), ("b", image1), ("a", image1))
    ] == [0, 1, 0]
    assert len(viewers.pictures) == 2
    assert (viewers.find_picture("b"), viewers.find_picture("c")) == (1, None)


def test_pairs_name_their_pictures_by_number() -> None:
    viewers = PairViewers(max_side=100)
    numbers = [viewers.add_picture(side, read_image(image)) for side, image in enumerate(images())]
    assert viewers.add_pair(shifted_pair(), *numbers, estimate=estimate_of()) == 0
    assert viewers.add_pair(shifted_pair(), 1, 0) == 1
    assert [[image["src"] for image in pair["images"]] for pair in viewers.pairs] == [[0, 1], [1, 0]]
    assert viewers.pairs[0]["notes"][0] == "image 0 shown at 100 × 75 px of 400 × 300 px"


def test_a_page_without_pictures_needs_no_script() -> None:
    viewers = PairViewers()
    assert viewers.scripts == []
    viewers.add_picture("a", read_image(images()[0]))
    assert len(viewers.scripts) == 2


def test_a_known_estimate_is_shown_with_a_homography() -> None:
    known = estimate_of()
    assert estimate_for_page(shifted_pair(), known) == (known, known)
    shown, homography = estimate_for_page(shifted_pair())
    assert homography.success
    assert homography.matrix is not None
    assert homography.matrix[:2, 2] == pytest.approx(SHIFT, abs=0.5)
    assert shown.kind in ("fundamental", "homography")


def test_pairs_without_matches_have_failed_estimates() -> None:
    shown, homography = estimate_for_page(empty_pair())
    assert not shown.success
    assert not homography.success
