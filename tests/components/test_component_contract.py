"""What holds for every component, also for the next one: its constructor, its arguments, its file."""

import dataclasses
import importlib
import inspect
import pkgutil

import pulumi
import pytest

import components
from components.component import Component

MODULES = [importlib.import_module(f"components.{info.name}") for info in pkgutil.iter_modules(components.__path__)]
COMPONENTS = sorted(
    {
        value
        for module in MODULES
        for value in vars(module).values()
        if inspect.isclass(value)
        and issubclass(value, pulumi.ComponentResource)
        and value is not pulumi.ComponentResource
    }
    - {Component},
    key=lambda component: component.__name__,
)


def test_there_are_components_to_look_at() -> None:
    assert {component.__name__ for component in COMPONENTS} >= {"LoadBalancer", "Network", "DirectorMachine"}


@pytest.mark.parametrize("component", COMPONENTS)
def test_a_component_takes_its_arguments_by_name(component: type) -> None:
    assert issubclass(component, Component)
    parameters = list(inspect.signature(component.__init__).parameters.values())[1:]
    assert [one.name for one in parameters] == ["name", "args", "opts"]
    assert [one.kind for one in parameters[1:]] == [inspect.Parameter.KEYWORD_ONLY] * 2
    assert parameters[2].default is None
    assert component.__doc__


@pytest.mark.parametrize("component", COMPONENTS)
def test_its_arguments_are_frozen_and_named(component: type) -> None:
    arguments = getattr(importlib.import_module(component.__module__), f"{component.__name__}Args")
    assert dataclasses.is_dataclass(arguments)
    assert arguments.__dataclass_params__.frozen
    assert all(field.kw_only for field in dataclasses.fields(arguments))
    assert arguments.__doc__


def test_nothing_of_the_program_imports_the_lab() -> None:
    for module in MODULES:
        assert "lab" not in {
            line.split()[1].split(".")[0]
            for line in inspect.getsource(module).splitlines()
            if line.startswith(("import ", "from "))
        }
