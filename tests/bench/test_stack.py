"""The stack's speed with small numbers, and that its bench tells it. Bounds are twice what was measured, or more."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from bench import stack
from bench.imports import import_time, pure_modules
from bench.stack import Growth, compare, grow, main, steepening
from lab.cloud.local import LocalCloud, local_cloud

# Processor seconds throughout: other work on the host hardly changes them. Measured: 1.05 to 1.15, 1.4, and 0.09 s.
RATIO, STEEPENING, IMPORT_SECONDS = 2.3, 2.8, 0.2


@pytest.fixture(scope="module")
def cloud() -> LocalCloud:
    with local_cloud() as made:
        yield made


@pytest.mark.cloud
def test_previewing_the_stack_costs_little_more_than_as_many_resources_do(cloud: LocalCloud) -> None:
    found = compare(cloud.endpoint, runs=2)
    assert found.resources >= 30
    assert found.cpu_ratio < RATIO, found


@pytest.mark.cloud
def test_growth_is_linear_and_every_machines_user_data_fits(cloud: LocalCloud) -> None:
    growth = grow(cloud.endpoint, (2, 50, 100), runs=1)
    assert steepening(growth) < STEEPENING, growth
    assert [row.resources - growth[0].resources for row in growth] == [0, 48, 98]
    assert max(max(row.director_bytes, row.web_server_bytes) for row in growth) <= 16384


@pytest.mark.parametrize("module", pure_modules())
def test_pure_modules_are_imported_at_once(module: str) -> None:
    assert import_time(module, tries=3).seconds < IMPORT_SECONDS


def test_the_pure_modules_are_found() -> None:
    assert {"userdata.render", "components.settings", "lab.engine.goal"} <= set(pure_modules())
    assert not {"components.network", "userdata.director.agent.ec2"} & set(pure_modules())


@pytest.mark.cloud
@pytest.mark.parametrize("target", ["", "RATIO", "IMPORT_SECONDS", "USER_DATA_BYTES", "STEEPENING"])
def test_the_bench_writes_what_it_found_and_tells_what_misses_its_target(
    target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("RATIO", "IMPORT_SECONDS", "USER_DATA_BYTES", "STEEPENING"):
        monkeypatch.setattr(stack, name, 0 if name == target else 1e9)
    monkeypatch.setattr(stack, "pure_modules", lambda: ("userdata.render",))
    monkeypatch.setattr(
        stack,
        "compare",
        lambda *_, **__: stack.Comparison(
            resources=1, stack_wall_seconds=1, bare_wall_seconds=1, stack_cpu_seconds=1, bare_cpu_seconds=1
        ),
    )
    numbers = (2, 3, 4) if target == "" else ()
    if not numbers:
        monkeypatch.setattr(stack, "grow", lambda *_, **__: [grown(2, 4.0), grown(4, 5.0), grown(6, 6.0)])
    assert main(["--runs", "1", "--output", str(tmp_path), "--web-servers", *map(str, numbers or (2,))]) == bool(target)
    told = json.loads((tmp_path / "stack.json").read_text())
    assert len(told["missed"]) == bool(target)
    assert [row["web_servers"] for row in told["growth"]] == list(numbers or (2, 4, 6))
    drawn = ElementTree.fromstring((tmp_path / "stack.svg").read_text())
    assert len(drawn.findall(".//{http://www.w3.org/2000/svg}circle")) == 6
    assert "ratio" in capsys.readouterr().out


def grown(web_servers: int, cpu_seconds: float) -> Growth:
    return Growth(
        web_servers=web_servers,
        resources=web_servers,
        wall_seconds=cpu_seconds,
        cpu_seconds=cpu_seconds,
        director_bytes=1,
        web_server_bytes=1,
    )


def test_a_square_is_steep_and_a_line_is_not() -> None:
    line = [grown(n, 3 + n / 50) for n in (2, 100, 200)]
    square = [replace(row, cpu_seconds=3 + row.web_servers**2 / 1000) for row in line]
    assert steepening(line) == pytest.approx(1)
    assert steepening(square) > 2.9
