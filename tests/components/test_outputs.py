"""The outputs are a contract: the schema describes what the program says, and changes only by adding."""

import copy
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from components.outputs import OUTPUTS_VERSION
from tests.components.outputs_compatibility import incompatibilities
from tests.components.recorded_program import LEAST, ROOT, run_program

SCHEMA: dict[str, Any] = json.loads((ROOT / "docs/outputs.schema.json").read_text())
# The schema as it was when CHANGELOG.md last named a version; a release copies docs/outputs.schema.json here.
RELEASED: dict[str, Any] = json.loads((Path(__file__).parent / "released_outputs.schema.json").read_text())


def paths(schema: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, inner in schema.get("properties", {}).items():
        yield f"{prefix}{name}", inner
        yield from paths(inner.get("items", inner), f"{prefix}{name}[]." if "items" in inner else f"{prefix}{name}.")


def paths_of(value: Any, prefix: str = "") -> set[str]:
    """The paths a document has, as `paths` names them."""
    found: set[str] = set()
    for name, inner in value.items():
        found.add(f"{prefix}{name}")
        for item in inner if isinstance(inner, list) else [inner]:
            found |= paths_of(item, f"{prefix}{name}[].") if isinstance(item, dict) else set()
    return found


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["properties"]["outputsVersion"]["const"] == OUTPUTS_VERSION


@pytest.mark.parametrize("preview", [True, False])
def test_the_program_says_what_the_schema_describes_and_nothing_else(preview: bool) -> None:
    services = json.dumps([{"port": 443, "healthCheck": {"kind": "tcp"}}, {"port": 80}])
    outputs = run_program({**LEAST, "lvs-aws:services": services}, preview=preview).outputs
    if preview:
        assert set(outputs) == set(SCHEMA["properties"])
    else:
        Draft202012Validator(SCHEMA).validate(outputs)
        assert paths_of(outputs) == {path for path, _ in paths(SCHEMA)}


def test_every_output_is_required_typed_and_described_and_on_the_page() -> None:
    page = (ROOT / "docs/outputs.md").read_text()
    for path, schema in paths(SCHEMA):
        kind = schema.get("type") or f"always {schema['const']}"
        assert f"\n| `{path}` | {kind} | {schema['description']} |\n" in page


def test_nothing_a_reader_relies_on_has_changed_since_the_last_release() -> None:
    before = RELEASED["properties"]["outputsVersion"]["const"]
    if before == OUTPUTS_VERSION:
        assert list(incompatibilities(RELEASED, SCHEMA)) == []
    else:
        assert before + 1 == OUTPUTS_VERSION
        assert f"outputsVersion {OUTPUTS_VERSION}" in (ROOT / "CHANGELOG.md").read_text()


def without(name: str) -> Callable[[dict[str, Any]], object]:
    return lambda schema: (schema["properties"].pop(name), schema["required"].remove(name))


def one_more(*, required: bool) -> Callable[[dict[str, Any]], object]:
    def change(schema: dict[str, Any]) -> None:
        schema["properties"]["directors"]["items"]["properties"]["zone"] = {"type": "string"}
        if required:
            schema["properties"]["directors"]["items"]["required"].append("zone")

    return change


@pytest.mark.parametrize(
    ("change", "faults"),
    [
        (lambda schema: None, []),
        (one_more(required=False), []),
        (lambda schema: schema["properties"]["url"].update(description="other words"), []),
        (without("url"), ["url: no longer always there", "url: removed"]),
        (one_more(required=True), ["directors[].zone: newly required"]),
        (lambda schema: schema["required"].remove("vpcId"), ["vpcId: no longer always there"]),
        (
            lambda schema: schema["properties"]["services"]["items"]["properties"]["port"].update(type="string"),
            ["services[].port: type was 'integer' and is 'string'"],
        ),
        (
            lambda schema: schema["properties"]["imageId"].update(type=["string", "null"]),
            ["imageId: type was 'string' and is ['string', 'null']"],
        ),
        (
            lambda schema: schema["properties"]["region"].update(enum=["us-east-1"]),
            ["region: enum was None and is ['us-east-1']"],
        ),
        (lambda schema: schema["properties"]["directors"].pop("items"), ["directors: items given in one only"]),
    ],
)
def test_a_change_that_breaks_a_reader_is_noticed(
    change: Callable[[dict[str, Any]], object], faults: list[str]
) -> None:
    changed = copy.deepcopy(SCHEMA)
    change(changed)
    assert list(incompatibilities(SCHEMA, changed)) == faults
