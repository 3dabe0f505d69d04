"""Runs benchmarks and prints what they found.

A benchmark is the module of its name. It has ``cases()``, which are timed here beside their peers,
and ``cases_on_cuda()``, likewise on a CUDA device; or ``tables(settings)``, which measure something
else; ``rows_of_other_processes(settings)`` are cases that were timed elsewhere.
"""

from __future__ import annotations

import datetime
import importlib
import inspect
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import ModuleType

from bench import cuda
from bench.case import COMPILED, OURS, Case
from bench.child import Unavailable
from bench.machine import describe, disturbance, peak_bandwidth, peak_operations
from bench.report import Report
from bench.row import Row, table_of
from bench.settings import Settings
from bench.summary import ordered, peers_of
from bench.table import Table
from bench.timing import alternate
from pytransformer import ops
from pytransformer.errors import UserError

# What CUDA devices have nothing to do with: plain products are cuBLAS's on both sides there.
ON_THE_CPU = ("linear", "overhead", "scaling", "instruction_sets", "processes")
BENCHMARKS = (
    "linear",
    "attention",
    "layer_norm",
    "add_layer_norm",
    "feed_forward",
    "linear_cross_entropy",
    "embedding",
    "orthogonalize",
    "train_step",
    "memory",
    "overhead",
    "scaling",
    "instruction_sets",
    "processes",
)


def run(
    names: Sequence[str], settings: Settings, json: Path | None = None, markdown: Path | None = None
) -> Report:
    """Run the named benchmarks, in the order of ``BENCHMARKS``.

    Args:
        names: of benchmarks; none means all.
        settings: how.
        json: where to write the report, besides printing it. It is written anew with each row, so
            that a run that is ended early leaves what it had.
        markdown: likewise.

    Raises:
        UserError: if it is not the compiled ops that would be timed.
    """
    if ops.BACKEND != "native":
        raise UserError(f"bench times the compiled ops; PYTRANSFORMER_BACKEND={ops.BACKEND} is set")
    report = _begin(names, settings)
    report.json_file, report.markdown_file = json, markdown
    report.write()
    for name in BENCHMARKS:
        if (names and name not in names) or (settings.on_cuda and name in ON_THE_CPU):
            continue
        _run(name, importlib.import_module(f"bench.{name}"), settings, report)
    print()
    for line in report.ending():
        print(line)
    return report


def _begin(names: Sequence[str], settings: Settings) -> Report:
    load, warning = os.getloadavg()[0], disturbance()
    if warning:
        print(warning, flush=True)
    machine = describe(settings.device)
    report = Report(
        command=settings.command(names, machine.threads),
        date=datetime.date.today().isoformat(),
        machine=machine,
        load=load,
        warning=warning,
        peaks={
            "float32": peak_operations("float32", settings.device),
            "bfloat16": peak_operations("bfloat16", settings.device),
            "bandwidth": peak_bandwidth(settings.device),
        },
    )
    for name, value in report.circumstances():
        print(f"{name}: {value}", flush=True)
    return report


def _run(name: str, module: ModuleType, settings: Settings, report: Report) -> None:
    # The first paragraph of its docstring.
    report.subjects[name] = " ".join((inspect.getdoc(module) or "").partition("\n\n")[0].split())
    if hasattr(module, "cases"):
        cases = module.cases_on_cuda() if settings.on_cuda else module.cases()
        _run_cases(name, cases, settings, report)
    if hasattr(module, "rows_of_other_processes") and not settings.on_cuda:
        _run_elsewhere(name, module, settings, report)
    if hasattr(module, "tables"):
        for table in module.tables(settings):
            report.add(table)
            print(f"\n{name}: {table.text()}", flush=True)


def _run_cases(name: str, cases: Iterable[Case], settings: Settings, report: Report) -> None:
    table: Table | None = None
    for case in cases:
        case.check()
        peers = ordered([*case.sides, *([COMPILED] if settings.compile else [])])
        table = table or _print_head(name, peers)
        sides = _able(name, case, report)
        if settings.compile:
            try:
                sides[COMPILED] = compiled(case)
            except Unavailable as error:
                _note(report, name, str(error))
        timings = (
            cuda.alternate(sides, settings.seconds, case.whole)
            if settings.on_cuda
            else alternate(sides, settings.seconds)
        )
        row = Row.of(name, case, timings, report.machine.allocator)
        report.add(row)
        print(table.line(row.cells(peers)), flush=True)


def _able(name: str, case: Case, report: Report) -> dict[str, Callable[[], object]]:
    """The sides of a case without peers that cannot do it, as some of torch's backends cannot."""
    able = {}
    for side, run in case.sides.items():
        try:
            run()
        except RuntimeError as error:
            if side == OURS:
                raise
            reason = str(error).strip().partition("\n")[0]
            _note(report, name, f"{side} cannot do {case.label} {case.precision}: {reason}")
            continue
        able[side] = run
    return able


def compiled(case: Case) -> Callable[[], object]:
    """The side of torch.compile, compiled.

    Raises:
        Unavailable: if that fails, as it does without a C++ compiler.
    """
    try:
        side = case.compiled()
        side()
    # Whatever it is, it is torch's, and no reason not to time the others.
    except Exception as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        said = " ".join([type(error).__name__ + ":", *lines[:2]])
        raise Unavailable(f"{COMPILED} is left out where it fails: {said}") from error
    return side


def _run_elsewhere(name: str, module: ModuleType, settings: Settings, report: Report) -> None:
    try:
        rows = list(module.rows_of_other_processes(settings))
    except Unavailable as error:
        _note(report, name, str(error))
        return
    peers = peers_of(rows)
    table = _print_head(name, peers, elsewhere=rows[0].allocator)
    for row in rows:
        report.add(row)
        print(table.line(row.cells(peers)), flush=True)


def _print_head(name: str, peers: Sequence[str], elsewhere: str = "") -> Table:
    table = table_of(name, peers, elsewhere)
    print(f"\n{name}: {table.title}\n{table.head()}", flush=True)
    return table


def _note(report: Report, benchmark: str, text: str) -> None:
    if report.note(benchmark, text):
        print(text, flush=True)
