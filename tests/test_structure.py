"""The house plan: imports and includes run one way, and every op has its four places."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from pytransformer import ops, reference

ROOT = Path(__file__).resolve().parents[1]

# Each part of the package, and the parts that it may import; a part stands below all those it
# imports. Files directly in the package count as parts of their own.
PARTS: dict[str, set[str]] = {
    "_C": set(),
    "_built_for": set(),
    "built_for": set(),
    "checks": set(),
    "config": set(),
    "errors": set(),
    "packed": set(),
    "positions": set(),
    "precision": set(),
    "recipes": set(),
    "seed": set(),
    "version": set(),
    "workspaces": set(),
    "files": {"errors"},
    "marian": {"config"},
    "pictures": {"errors", "files"},
    # The oracle shares no arithmetic with what it judges.
    "reference": {"positions", "precision", "seed"},
    "ops": {"_C", "_built_for", "built_for", "precision", "reference", "seed"},
    "devices": {"_C", "errors", "ops"},
    "nn": {"config", "ops", "packed", "precision"},
    "model": {"checks", "config", "nn", "ops", "packed", "positions", "precision", "workspaces"},
    "subwords": {"_C", "ops"},
    "data": {"errors", "files", "packed", "subwords", "version"},
    "directory": {"config", "data", "errors", "files", "marian", "model"},
    "decoding": {
        "config", "data", "directory", "errors", "model", "nn", "ops", "packed", "pictures",
        "precision",
    },
    "training": {
        "_C", "config", "data", "decoding", "devices", "directory", "errors", "files", "model",
        "ops", "packed", "pictures", "precision", "version",
    },
    "diagnosis": {
        "_C", "built_for", "decoding", "devices", "model", "ops", "pictures", "reference",
        "version",
    },
    "cli": {
        "config", "data", "decoding", "devices", "diagnosis", "directory", "errors", "files",
        "recipes", "training", "version",
    },
    "__main__": {"cli"},
    "__init__": {"config", "decoding", "model", "ops", "packed", "reference", "version"},
}  # fmt: skip

# The same for csrc/, and what each part may include from outside.
CPP_PARTS: dict[str, set[str]] = {
    "subwords": set(),
    "kernels": set(),
    "ops": {"kernels"},
    "autograd": {"ops"},
    "decoder": {"kernels", "ops"},
    "bindings": {"decoder", "kernels", "ops", "subwords"},
}
TORCH = ("ATen", "c10", "torch")
PYTHON = ("Python.h", "pybind11")
CPP_LIBRARIES: dict[str, tuple[str, ...]] = {
    "subwords": (),
    "kernels": (),
    "ops": TORCH,
    "autograd": TORCH,
    "decoder": TORCH,
    "bindings": TORCH + PYTHON,
}

# A file that is compiled once per instruction set must not define what the standard library would
# define too: the linker keeps one copy, which then runs on every machine.
ISA_HEADERS = {"cstddef", "cstdint", "immintrin.h", "omp.h"}
COMPILED_ONCE = {"dispatch.cpp", "kernels.h", "profile.cpp", "profile.h", "scratch.cpp"}


class Arrow(NamedTuple):
    """``file:line`` refers to ``target``: a module, or what an include names."""

    path: Path
    line: int
    target: str

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.line} refers to {self.target}"


def _imports(path: Path) -> Iterator[Arrow]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (Arrow(path, node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            if module in ("pytransformer", "tests"):  # from pytransformer import ops
                names = [f"{module}.{alias.name}" for alias in node.names]
                yield from (Arrow(path, node.lineno, name) for name in names)
            else:
                yield Arrow(path, node.lineno, module)


def _all_imports(directory: str) -> Iterator[Arrow]:
    for path in sorted((ROOT / directory).rglob("*.py")):
        yield from _imports(path)


_INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]')


def _includes(directory: str) -> Iterator[tuple[Arrow, bool]]:
    """Each include, and whether it names a file of ours (with quotes)."""
    for path in sorted((ROOT / directory).rglob("*")):
        if path.suffix not in (".h", ".cpp", ".cu", ".cuh"):
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            if match := _INCLUDE.match(line):
                yield Arrow(path, number, match[2]), match[1] == '"'


def _resolved(arrow: Arrow) -> Path:
    """The file that an include in quotes names."""
    return (arrow.path.parent / arrow.target).resolve()


def _report(wrong: list[str]) -> None:
    assert not wrong, "\n".join(["arrows that the plan does not have:", *wrong])


def _part(path: Path) -> str:
    """The part of the package that a file belongs to."""
    first = path.relative_to(ROOT / "pytransformer").parts[0]
    return first.removesuffix(".py")


def test_the_plan_itself_runs_one_way() -> None:
    seen: set[str] = set()
    for part, imported in PARTS.items():
        assert imported <= seen, f"{part} imports {sorted(imported - seen)}, which stand below it"
        seen.add(part)


def test_every_part_of_the_package_is_in_the_plan() -> None:
    found = {_part(path) for path in (ROOT / "pytransformer").rglob("*.py")}
    assert not found - set(PARTS), (
        f"{sorted(found - set(PARTS))}: give it a place in PARTS of tests/test_structure.py"
    )


def test_imports_of_the_package_run_one_way() -> None:
    wrong = []
    for arrow in _all_imports("pytransformer"):
        package, _, rest = arrow.target.partition(".")
        part, target = _part(arrow.path), rest.partition(".")[0]
        if package in ("tests", "bench", ""):
            wrong.append(f"{arrow}: the package knows neither tests nor benchmarks")
        elif package == "pytransformer" and target not in PARTS.get(part, set()) | {part}:
            wrong.append(f"{arrow}: {part} may import {sorted(PARTS.get(part, set()))}")
    _report(wrong)


def test_only_the_switch_of_the_ops_knows_the_reference() -> None:
    switch = ROOT / "pytransformer" / "ops" / "__init__.py"
    _report(
        [
            str(arrow)
            for arrow in _all_imports("pytransformer/ops")
            if arrow.target.startswith("pytransformer.reference") and arrow.path != switch
        ]
    )


def test_shared_cases_know_neither_tests_nor_benchmarks() -> None:
    _report(
        [
            str(arrow)
            for arrow in _all_imports("tests/cases")
            if arrow.target.split(".")[0] == "bench"
            or (arrow.target.startswith("tests.") and not arrow.target.startswith("tests.cases"))
        ]
    )


def test_benchmarks_know_of_the_tests_only_their_cases() -> None:
    _report(
        [
            str(arrow)
            for arrow in _all_imports("bench")
            if arrow.target.startswith("tests.") and not arrow.target.startswith("tests.cases")
        ]
    )


def test_includes_run_one_way() -> None:
    wrong = []
    for arrow, ours in _includes("csrc"):
        part = arrow.path.relative_to(ROOT / "csrc").parts[0]
        if not ours:
            library = arrow.target.split("/")[0]
            if library in TORCH + PYTHON and library not in CPP_LIBRARIES[part]:
                wrong.append(f"{arrow}: csrc/{part} is built without {library}")
            continue
        included = _resolved(arrow)
        if not included.is_file():
            wrong.append(f"{arrow}: no such file beside it; libraries go in angle brackets")
        elif not included.is_relative_to(ROOT / "csrc"):
            wrong.append(f"{arrow}: outside csrc")
        elif included.relative_to(ROOT / "csrc").parts[0] not in CPP_PARTS[part] | {part}:
            wrong.append(f"{arrow}: csrc/{part} may include {sorted(CPP_PARTS[part])}")
    _report(wrong)


def test_contracts_do_not_know_their_kernels() -> None:
    contracts = ROOT / "csrc" / "kernels"
    _report(
        [
            str(arrow)
            for arrow, ours in _includes("csrc/kernels")
            if ours and arrow.path.parent == contracts and _resolved(arrow).parent != contracts
        ]
    )


def test_kernels_include_no_standard_library() -> None:
    _report(
        [
            str(arrow)
            for arrow, ours in _includes("csrc/kernels/cpu")
            if not ours and arrow.target not in ISA_HEADERS and arrow.path.name not in COMPILED_ONCE
        ]
    )


def test_kernel_tests_include_only_kernels() -> None:
    allowed = (ROOT / "tests" / "kernels", ROOT / "csrc" / "kernels")
    wrong = []
    for arrow, ours in _includes("tests/kernels"):
        near = any(_resolved(arrow).is_relative_to(place) for place in allowed)
        foreign = arrow.target.split("/")[0] in TORCH + PYTHON
        if foreign or (ours and not near):
            wrong.append(str(arrow))
    _report(wrong)


def _public_ops() -> list[str]:
    return [name for name in ops.__all__ if name != "BACKEND"]


@pytest.mark.parametrize("name", _public_ops())
def test_every_op_has_its_places(name: str) -> None:
    module = ROOT / "pytransformer" / "ops" / f"{name}.py"
    assert module.is_file(), f"no {module.relative_to(ROOT)}"
    functions = [
        node.name
        for node in ast.parse(module.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef)
    ]
    assert functions[0] == name, f"{module.name} begins with {functions[0]}, not with its op"
    test = ROOT / "tests" / "ops" / f"test_{name}.py"
    assert test.is_file(), f"no {test.relative_to(ROOT)}"


@pytest.mark.parametrize("name", _public_ops())
def test_every_op_has_a_twin(name: str) -> None:
    assert name in reference.__all__, f"pytransformer.reference has no {name}"
    own = inspect.signature(getattr(ops, name)).parameters.values()
    twin = inspect.signature(getattr(reference, name)).parameters.values()
    assert [(p.name, p.kind, p.default) for p in own] == [(p.name, p.kind, p.default) for p in twin]


def test_the_reference_has_nothing_beside_the_ops() -> None:
    assert sorted(reference.__all__) == sorted(_public_ops())


def test_every_schema_has_its_kernel_and_its_name() -> None:
    text = (ROOT / "csrc" / "bindings" / "library.cpp").read_text(encoding="utf-8")
    defined = set(re.findall(r'm\.def\(\s*"(\w+)\(', text))
    implemented = set(re.findall(r'm\.impl\("(\w+)"', text))
    assert defined
    assert defined == implemented
    assert set(_public_ops()) <= defined


@pytest.mark.parametrize(
    "contract",
    [
        path.stem
        for path in sorted((ROOT / "csrc" / "kernels").glob("*.h"))
        if path.stem not in ("contracts", "types")
    ],
)
def test_every_contract_has_its_kernel_and_its_test(contract: str) -> None:
    kernels = ROOT / "csrc" / "kernels" / "cpu"
    assert list(kernels.glob(f"{contract}*.cpp")), f"no csrc/kernels/cpu/{contract}*.cpp"
    tests = ROOT / "tests" / "kernels"
    assert (tests / f"test_{contract}.cpp").is_file(), f"no tests/kernels/test_{contract}.cpp"
