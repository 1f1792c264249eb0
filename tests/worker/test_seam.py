"""The seam: what the warm worker uses of Prefect is there, and what is not there is named."""

import ast
import os
import sys
import tomllib
from collections.abc import Callable
from functools import lru_cache
from importlib import import_module
from importlib.metadata import entry_points, version
from inspect import getsource, isclass, signature
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from prefect.workers.base import BaseWorker

from maquette.worker import seam
from maquette.worker.warm import WarmWorker

ROOT = Path(__file__).parents[2]
NAMES = [(module, name) for module, name, _ in seam._NAMES]
PARAMETERS = [(module, name, each) for module, name, told in seam._NAMES for each in told]
ATTRIBUTES = [(module, name, each) for module, name, told in seam._PRIVATE for each in told]

source = lru_cache(getsource)
missing: Callable[[], tuple[str, ...]] = seam.moved.__wrapped__


@pytest.fixture(autouse=True)
def _source_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes most of the time."""
    monkeypatch.setattr(seam, "getsource", source)


class Gone:
    """An attribute of a class that it does not have any more, even if a class above has it."""

    def __get__(self, instance: object, owner: type) -> None:
        raise AttributeError("moved")


def holder_of(module: str, name: str) -> tuple[Any, str]:
    """What has the name's last part, and that part."""
    found, *parts = import_module(module), *name.split(".")
    for each in parts[:-1]:
        found = getattr(found, each)
    return found, parts[-1]


def test_the_installed_release_has_all_of_it() -> None:
    assert missing() == ()


@pytest.mark.parametrize(("module", "name"), NAMES)
def test_a_name_that_is_gone_is_named(module: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    holder, last = holder_of(module, name)
    if isclass(holder):
        monkeypatch.setattr(holder, last, Gone())
    else:
        monkeypatch.delattr(holder, last)
    of_it = [each for each in NAMES if each == (module, name) or (each[0] == module and each[1].startswith(f"{name}."))]
    assert missing() == tuple(map(".".join, of_it))


def test_a_module_that_is_gone_is_named_with_all_its_names(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = "prefect.runner._process_manager"
    monkeypatch.setitem(sys.modules, gone, None)
    assert missing() == tuple(f"{module}.{name}" for module, name in NAMES if module == gone)


@pytest.mark.parametrize(("module", "name", "parameter"), PARAMETERS)
def test_a_parameter_that_is_gone_is_named(
    module: str, name: str, parameter: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    holder, last = holder_of(module, name)
    found = getattr(holder, last)
    told = signature(found)
    fewer = told.replace(parameters=[each for each in told.parameters.values() if each.name != parameter])
    if isclass(found):
        monkeypatch.setattr(found, "__signature__", fewer, raising=False)
    else:

        def changed() -> None:
            """What has the same name and takes less."""

        changed.__signature__ = fewer  # type: ignore[attr-defined]
        monkeypatch.setattr(holder, last, staticmethod(changed) if isclass(holder) else changed)
    assert missing() == (f"{module}.{name}({parameter})",)


@pytest.mark.parametrize(("module", "name", "attribute"), ATTRIBUTES)
def test_an_attribute_that_is_gone_is_named(
    module: str, name: str, attribute: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seam, "getsource", lambda each: source(each).replace(f"self.{attribute}", "self.something"))
    assert missing() == (f"{module}.{name}.{attribute}",)


def test_a_machine_that_cannot_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(sys, "platform", "darwin")
        assert missing() == ("Linux with pidfd_open (5.3 or newer)",)
    monkeypatch.delattr(os, "pidfd_open")
    assert missing() == ("Linux with pidfd_open (5.3 or newer)",)


def test_nothing_else_imports_a_private_part_of_prefect() -> None:
    found = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in (ROOT / "maquette").rglob("*.py")
        if path != Path(seam.__file__)
        for name in imported(ast.parse(path.read_text("utf-8")))
        if name.startswith("prefect.") and any(part.startswith("_") for part in name.split("."))
    }
    assert found == set()
    assert any("._" in name for name in imported(ast.parse(Path(seam.__file__).read_text("utf-8")))), "it would be seen"


def imported(tree: ast.AST) -> set[str]:
    """What the code imports when it runs, by its full names: types that only a checker reads do no harm."""
    names: set[str] = set()
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            names |= {each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{each.name}" for each in node.names}
        names |= imported(node)
    return names


def test_the_tried_release_is_the_one_that_is_installed_locked_and_admitted() -> None:
    assert version("prefect") == seam.TRIED
    assert f"\nprefect=={seam.TRIED} " in (ROOT / "requirements.lock").read_text("utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    (wanted,) = [each for each in map(Requirement, project["dependencies"]) if each.name == "prefect"]
    assert seam.TRIED in wanted.specifier


def test_prefect_finds_the_worker_by_its_type() -> None:
    assert {each.value for each in entry_points(group="prefect.collections") if each.name == "maquette"} == {
        "maquette.worker.warm"
    }
    assert BaseWorker.get_worker_class_from_type("warm") is WarmWorker
