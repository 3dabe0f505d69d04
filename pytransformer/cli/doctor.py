"""``pytransformer doctor``: is this installation whole, and if not, what repairs it?"""

from __future__ import annotations

import argparse
import json
import time

from pytransformer.diagnosis.installation import REBUILD, examine_installation
from pytransformer.diagnosis.report import OpCheck, Problem, Report

HELP = "examine the installation and check each op against its reference"

_EPILOG = "Exit status 1 if anything is wrong; what repairs it is printed last."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``doctor``."""
    parser.epilog = _EPILOG
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Examine, print, and return 1 if anything is wrong."""
    report = Report()
    usable = examine_installation(report)
    if not args.json:
        _print_facts(report)
    if usable:
        _check_ops(report, silent=args.json)
    if args.json:
        print(json.dumps(report.to_dict(), ensure_ascii=False, indent=2))
    else:
        _print_verdict(report)
    return 0 if report.healthy else 1


def _check_ops(report: Report, silent: bool) -> None:
    from pytransformer.diagnosis.self_check import check_ops

    start = time.perf_counter()
    if not silent:
        print("\nops against their references, outputs and gradients:")
    for check in check_ops():
        report.checks.append(check)
        if not silent:
            print(f"  {_describe(check)}", flush=True)
    if not silent:
        print(f"  in {time.perf_counter() - start:.1f} s")
    wrong = [check.op for check in report.checks if not check.passed]
    if wrong:
        remedy = f"in the source tree, after removing build/: {REBUILD}"
        report.problems.append(Problem(f"wrong results: {', '.join(wrong)}", remedy))


def _describe(check: OpCheck) -> str:
    """One line: the op, the verdict, and the comparison it rests on."""
    line = f"{check.op:<21}{'ok' if check.passed else 'WRONG':<7}"
    if check.failure:
        return f"{line}{check.failure} ({check.where})"
    return f"{line}error {check.error:.1e}, tolerance {check.tolerance:.1e} ({check.where})"


def _print_facts(report: Report) -> None:
    for name, fact in report.facts.items():
        print(f"{name:<14}{fact}")


def _print_verdict(report: Report) -> None:
    for note in report.notes:
        print(f"\nnote: {note}")
    for problem in report.problems:
        print(f"\nproblem: {problem.what}\n remedy: {problem.remedy}")
    if report.healthy:
        print("\nAll is well.")
