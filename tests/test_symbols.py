"""Objects compiled for one instruction set keep what they define to themselves."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TREES = f"cp{sys.version_info.major}{sys.version_info.minor}-*"
SCRIPT = ROOT / "tests" / "kernels" / "symbols.cmake"


def _check(isa: str, objects: list[Path]) -> subprocess.CompletedProcess[str]:
    cmake = shutil.which("cmake") or shutil.which("cmake", path=str(Path(sys.executable).parent))
    if cmake is None or shutil.which("nm") is None:
        pytest.skip("cmake and nm (of binutils) are needed to read the objects")
    names = ";".join(str(path) for path in objects)
    command = [cmake, "-DNM=nm", f"-DISA={isa}", f"-DOBJECTS={names}", "-P", str(SCRIPT)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("isa", ["generic", "avx2", "avx512", "avx512_bf16"])
def test_an_instruction_set_leaks_no_symbol(isa: str) -> None:
    trees = sorted((ROOT / "build").glob(TREES), key=lambda tree: tree.stat().st_mtime)
    if not trees:
        pytest.skip(f"no build tree at build/{TREES}")
    objects = sorted((trees[-1] / "CMakeFiles" / f"pt_kernels_{isa}.dir").rglob("*.o"))
    if not objects and isa != "generic":
        pytest.skip(f"the build has no kernels for {isa}")
    result = _check(isa, objects)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(
    ("code", "leaks"),
    [
        ("namespace pt::avx2 { int own(int x) { return x; } }", False),
        ("inline int shared(int x) { return x; } int (*user)(int) = shared;", True),
        (
            "template <class T> struct S { static T f() { return 1; } };"
            "namespace pt::avx2 { int own() { return S<int>::f(); } }",
            True,
        ),
        ("namespace pt::avx512 { int stranger(int x) { return x; } }", True),
    ],
)
def test_the_check_itself_can_fail(code: str, leaks: bool, tmp_path: Path) -> None:
    compiler = shutil.which("c++") or shutil.which("g++")
    if compiler is None:
        pytest.skip("no C++ compiler")
    source, compiled = tmp_path / "code.cpp", tmp_path / "code.o"
    source.write_text(code, encoding="utf-8")
    subprocess.run([compiler, "-std=c++20", "-c", source, "-o", compiled], check=True)
    result = _check("avx2", [compiled])
    assert (result.returncode != 0) == leaks, result.stderr
