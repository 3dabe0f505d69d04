"""Which Python, torch, extension, threads and optional packages there are, and what is wrong."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import os
import platform
import re
import shutil
import warnings
from pathlib import Path
from types import ModuleType

from pytransformer.diagnosis.report import Problem, Report
from pytransformer.version import __version__

REBUILD = "pip install --no-build-isolation --no-deps --force-reinstall ."

_REQUIRED = ("numpy", "safetensors", "sentencepiece", "sacrebleu", "tqdm")
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OMP_THREAD_LIMIT")
_OPENMP_LIBRARY = r"lib(gomp|omp|iomp5)\b"


def examine_installation(report: Report) -> bool:
    """Add facts, notes and problems to ``report``; return whether the ops can be called."""
    report.facts["pytransformer"] = f"{__version__} in {Path(__file__).parents[1]}"
    report.facts["python"] = f"{platform.python_version()} on {platform.machine()}"
    _examine_packages(report)
    if importlib.util.find_spec("torch") is None:
        report.facts["torch"] = "not installed"
        report.problems.append(Problem("torch is not installed", "pip install torch"))
        return False
    _examine_torch(report)
    usable = _examine_backend(report)
    # More than one is harmless as long as torch and the kernels share theirs: sentencepiece, for
    # one, brings its own.
    if (runtimes := openmp_runtimes()) is not None:
        report.facts["openmp"] = ", ".join(map(str, runtimes))
    _examine_pictures(report)
    return usable


def _examine_packages(report: Report) -> None:
    found = {name: _version(name) for name in _REQUIRED}
    report.facts["packages"] = ", ".join(f"{name} {found[name] or '-'}" for name in _REQUIRED)
    missing = [name for name in _REQUIRED if found[name] is None]
    if missing:
        report.problems.append(
            Problem(f"not installed: {', '.join(missing)}", f"pip install {' '.join(missing)}")
        )


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _examine_torch(report: Report) -> None:
    import torch

    report.facts["torch"] = torch.__version__
    threads, processors = torch.get_num_threads(), _processors()
    report.facts["threads"] = f"{threads} of {processors} processors"
    # torch starts one thread for each core, and a core may be two processors.
    if 2 * threads < processors:
        limits = [f"{name}={os.environ[name]}" for name in _THREAD_VARIABLES if name in os.environ]
        what = f"torch uses {threads} threads, but {processors} processors are available"
        if limits:
            report.notes.append(f"{what}: {', '.join(limits)} limits it")
        else:
            report.problems.append(
                Problem(
                    what, f"set OMP_NUM_THREADS={processors}, or install another build of torch"
                )
            )
    cuda = f"torch for CUDA {torch.version.cuda}" if torch.version.cuda else "torch without CUDA"
    devices = torch.cuda.device_count() if torch.cuda.is_available() else 0
    report.facts["cuda"] = f"{cuda}, {devices} devices"


def _processors() -> int:
    """Those that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _examine_backend(report: Report) -> bool:
    """The ops and what they are compiled of; whether they can be called."""
    try:
        backend = importlib.import_module("pytransformer.ops").BACKEND
        report.facts["backend"] = backend
        if backend == "native":
            return _examine_extension(report, importlib.import_module("pytransformer._C"))
    except (ImportError, OSError) as error:
        report.facts["backend"] = "cannot be imported"
        report.problems.append(Problem(str(error), _remedy_for_import()))
        return False
    report.notes.append(
        "PYTRANSFORMER_BACKEND=reference: plain PyTorch is in use and checked here, not the "
        "compiled extension; unset it for speed"
    )
    return True


def _remedy_for_import() -> str:
    if (os.environ.get("PYTRANSFORMER_BACKEND") or "native") not in ("native", "reference"):
        return "unset PYTRANSFORMER_BACKEND"
    steps = [] if _compiler() else ["install a C++20 compiler (g++)"]
    return ", then ".join([*steps, f"in the source tree: {REBUILD}"])


def _compiler() -> str | None:
    candidates = (os.environ.get("CXX"), "c++", "g++", "clang++")
    return next((path for name in candidates if name and (path := shutil.which(name))), None)


def _examine_extension(report: Report, extension: ModuleType) -> bool:
    built = extension.build_information()
    report.facts["extension"] = f"{built['version']}, built for torch {built['torch']}"
    report.facts["compiler"] = f"{built['compiler']} built it; {_compiler() or 'none'} is here"
    report.facts["cuda"] += f"; kernels for CUDA {built['cuda'] or 'are not built'}"
    report.facts["kernels"] = ", ".join(extension.kernel_names())
    if built["version"] != __version__:
        what = f"the extension is of version {built['version']}, the package of {__version__}"
        report.problems.append(Problem(what, f"in the source tree: {REBUILD}"))
    _examine_pool(report, extension)
    return _examine_instructions(report, extension)


def _examine_pool(report: Report, extension: ModuleType) -> None:
    """Whether torch's number of threads governs the kernels: only if both use one runtime."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(threads + 1)
    try:
        pool = extension.omp_max_threads()
    finally:
        torch.set_num_threads(threads)
    if pool != threads + 1:
        runtimes = ", ".join(map(str, openmp_runtimes() or ())) or "unknown"
        report.problems.append(
            Problem(
                f"torch and the kernels use two OpenMP runtimes: told to use {threads + 1} "
                f"threads, the kernels use {pool} (loaded: {runtimes})",
                "remove LD_PRELOAD if it names one of them, then in the source tree: "
                f"CXX=g++ {REBUILD}",
            )
        )


def _examine_instructions(report: Report, extension: ModuleType) -> bool:
    sets = extension.instruction_sets()
    named = ", ".join(name if runs else f"{name} (not on this machine)" for name, runs in sets)
    try:
        used = extension.isa()
    except RuntimeError as error:
        report.facts["instructions"] = f"none in use; compiled in: {named}"
        remedy = "unset PYTRANSFORMER_ISA, or name one that runs here"
        report.problems.append(Problem(str(error), remedy))
        return False
    report.facts["instructions"] = f"{used} in use; compiled in: {named}"
    best = next(name for name, runs in sets if runs)
    if used != best:
        report.notes.append(f"PYTRANSFORMER_ISA asks for {used}; {best} would be faster")
    return True


def openmp_runtimes() -> list[Path] | None:
    """The OpenMP libraries in this process; None where the system does not tell."""
    maps = Path("/proc/self/maps")
    if not maps.is_file():
        return None
    # The path is the sixth field; memory without a file has none.
    fields = [line.split(maxsplit=5) for line in maps.read_text(encoding="utf-8").splitlines()]
    paths = {Path(line[5]).resolve() for line in fields if len(line) == 6 and line[5][0] == "/"}
    return sorted(path for path in paths if re.match(_OPENMP_LIBRARY, path.name))


def _examine_pictures(report: Report) -> None:
    version = _version("matplotlib")
    if version is None:
        report.facts["pictures"] = "matplotlib is not installed"
        report.notes.append("pictures need: pip install 'pytransformer[pictures]'")
        return
    report.facts["pictures"] = f"matplotlib {version}"
    try:
        from pytransformer.pictures.fonts import families_for
    except ImportError as error:
        report.notes.append(f"matplotlib cannot be imported: {error}")
        return
    with warnings.catch_warnings(record=True) as missing:
        warnings.simplefilter("always")
        families = families_for("한")
    report.facts["pictures"] += f", Hangul: {'no font' if missing else families[-1]}"
    report.notes.extend(str(warning.message) for warning in missing)
