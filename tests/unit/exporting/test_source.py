"""Names and licenses of what is exported."""

from tests.helpers.tiny_bundles import tiny_source

from tiepoint.exporting.source import license_text, source_of
from tiepoint.weights import WEIGHTS


def test_published_preset() -> None:
    source = source_of("fast", tiny_source().matcher)
    assert (source.name, source.extractor.name) == ("xfeat+lighterglue", "xfeat")
    text = license_text(source)
    assert WEIGHTS["xfeat_lighterglue"].license in text
    assert str(WEIGHTS["xfeat"].sources[0]) in text


def test_preset_without_weights_of_the_matcher() -> None:
    source = source_of("xfeat+nearest", tiny_source().matcher)
    assert (source.weights.name, source.weights.license) == ("nearest", "none: without weights")


def test_an_extractor_of_two_networks() -> None:
    source = source_of("raco-aliked+lightglue", tiny_source().matcher)
    assert source.extractor.license == "Apache-2.0 + BSD-3-Clause"
    assert all(str(WEIGHTS[name].sources[0]) in license_text(source) for name in ("raco", "aliked-n16"))


def test_one_file_with_extractor_and_matcher() -> None:
    text = license_text(source_of("loma-b128", tiny_source().matcher))
    assert text.count(str(WEIGHTS["loma_b128"].sources[0])) == 1
