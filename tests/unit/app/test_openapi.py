"""The description of the API is valid, and names what the API accepts."""

import dataclasses
from typing import Any

import pytest
from tests.helpers.app_server import Client

from tiepoint.app.api import API_ROUTES
from tiepoint.app.openapi import FORMS, MATCHING, describe_api
from tiepoint.app.options import GeometrySettings, MatchSettings


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return describe_api("1.2.3")


def test_every_route_is_described(document: dict[str, Any]) -> None:
    routes = {route.path: route.methods - {"HEAD"} for route in API_ROUTES if route.path != "/openapi.json"}
    described = {path: {method.upper() for method in row} for path, row in document["paths"].items()}
    assert described == routes


def test_every_option_is_described() -> None:
    assert set(MATCHING) == {field.name for field in dataclasses.fields(MatchSettings)}
    geometry = {field.name for field in dataclasses.fields(GeometrySettings)} - {"kind"}
    assert geometry | {"verify"} <= set(FORMS["/api/match"][2])


def test_it_is_an_openapi_document(document: dict[str, Any], client: Client) -> None:
    assert document["openapi"].startswith("3.1")
    assert document["info"]["version"] == "1.2.3"
    for row in document["paths"].values():
        for operation in row.values():
            assert "200" in operation["responses"]
            assert all(response["description"] for response in operation["responses"].values())
    served = client.get("/openapi.json").json
    assert served["paths"] == document["paths"]
