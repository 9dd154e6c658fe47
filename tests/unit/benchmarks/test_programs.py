"""The command line of the benchmarks: topics, programs, help, pages that are up to date."""

import pytest
from benchmarks.programs import TOPICS, run, split

PROGRAMS = [(topic, program) for topic, row in TOPICS.items() for program in (*row.programs, *row.hidden)]
RENDERERS = [(topic, program) for topic, program in PROGRAMS if program.startswith("render")]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["speed"], ("speed", "measure", [])),
        (["speed", "--quick"], ("speed", "measure", ["--quick"])),
        (["speed", "scaling", "--runs", "3"], ("speed", "scaling", ["--runs", "3"])),
        (["speed", "single-match", "tiepoint", "64"], ("speed", "single-match", ["tiepoint", "64"])),
        (["pictures"], ("pictures", "guide", [])),
    ],
)
def test_command_line_is_split(words: list[str], expected: tuple) -> None:
    assert split(words) == expected


@pytest.mark.parametrize("words", [[], ["sped"], ["speed", "rendr"]], ids=["none", "topic", "program"])
def test_unknown_programs_list_the_available_ones(words: list[str], capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit) as caught:
        run(words)
    assert caught.value.code == 2
    assert ("render" if words == ["speed", "rendr"] else "TOPIC") in capsys.readouterr().err


def test_help_lists_all_topics(capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit) as caught:
        run(["--help"])
    assert not caught.value.code
    text = capsys.readouterr().out
    assert all(f"\n  {topic} " in text for topic in TOPICS)


@pytest.mark.parametrize(("topic", "program"), PROGRAMS)
def test_every_program_has_help(topic: str, program: str, capsys: pytest.CaptureFixture) -> None:
    pytest.importorskip("transformers")
    pytest.importorskip("kornia")
    with pytest.raises(SystemExit) as caught:
        run([topic, program, "--help"])
    assert not caught.value.code
    text = capsys.readouterr().out
    assert f"python -m benchmarks {topic}" in text
    assert f"programs of {topic}:" in text


@pytest.mark.parametrize(("topic", "program"), RENDERERS)
@pytest.mark.slow
def test_pages_are_up_to_date(topic: str, program: str) -> None:
    run([topic, program, "--check"])  # exits with a message if the page is out of date
