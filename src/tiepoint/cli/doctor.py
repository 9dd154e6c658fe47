"""`tiepoint doctor`."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from tiepoint.doctor import Diagnosis, SelfTest


def doctor(
    self_test: Annotated[
        bool, typer.Option("--self-test/--no-self-test", help="Match a tiny pair with real weights.")
    ] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check the installation: versions, devices, extras, cache, weights, and a self-test. Paste it into bug reports.

    Nothing is downloaded. The exit status is 1 if the self-test fails.

    Example: tiepoint doctor > doctor.txt
    """
    from tiepoint.doctor import diagnose

    diagnosis = diagnose(self_test=self_test)
    typer.echo(json.dumps(diagnosis.to_dict()) if as_json else "\n".join(_lines(diagnosis)))
    if not diagnosis.passed:
        raise typer.Exit(1)


def _lines(diagnosis: "Diagnosis") -> list[str]:
    """Return the text of a diagnosis."""
    here = [name for name, place in diagnosis.weights.items() if place]
    absent = [name for name, place in diagnosis.weights.items() if not place]
    return [
        *_section("versions", diagnosis.versions),
        *_section("machine", diagnosis.machine),
        *_section("extras", {extra: _extra(extra, missing) for extra, missing in diagnosis.extras.items()}),
        *_section("environment", diagnosis.environment or {"": "no variable set"}),
        *_section(
            "cache", {path: _megabytes(size) for path, size in diagnosis.cache.items()} or {"": "empty"}
        ),
        *_section("weights", {"here": ", ".join(here) or "none", "not here": ", ".join(absent) or "none"}),
        *_section("self-test", _tests(diagnosis.tests)),
    ]


def _section(title: str, values: dict[str, str]) -> list[str]:
    return [title, *(f"  {name}: {value}" if name else f"  {value}" for name, value in values.items())]


def _extra(extra: str, missing: list[str]) -> str:
    if not missing:
        return "complete"
    return f"missing {', '.join(missing)}; run: pip install 'tiepoint[{extra}]'"


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"


def _tests(tests: "list[SelfTest]") -> dict[str, str]:
    if not tests:
        return {"": "not run: the weights are not on this machine; run: tiepoint demo"}
    return {test.preset: _test(test) for test in tests}


def _test(test: "SelfTest") -> str:
    counts = f"{test.correct} of {test.matches} matches correct in {test.seconds:.1f} s"
    return f"passed, {counts}" if test.passed else f"FAILED, {test.reason} ({counts})"
