"""Builds pytransformer._C: drives CMakeLists.txt (ninja) against the installed torch."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).parent.resolve()
VERSION_FILE = ROOT / "pytransformer" / "version.py"


def version() -> str:
    match = re.search(r'__version__ = "([^"]+)"', VERSION_FILE.read_text(encoding="utf-8"))
    if match is None:
        raise RuntimeError(f"{VERSION_FILE} does not define __version__")
    return match.group(1)


class CMakeBuild(build_ext):
    """One CMake configuration and build for the one extension."""

    def build_extension(self, ext: Extension) -> None:
        try:
            import torch
        except ImportError as error:
            raise RuntimeError(
                "building pytransformer needs the torch it will run with; install torch first, "
                "then: pip install --no-build-isolation ."
            ) from error
        cuda = self._cuda(torch)
        build = self._build_directory(torch.__file__)
        output = Path(self.get_ext_fullpath(ext.name)).parent.resolve()
        configure = [
            "cmake",
            "-G",
            "Ninja",
            "-S",
            str(ROOT),
            "-B",
            str(build),
            f"-Dpybind11_DIR={self._pybind11()}",
            f"-DPython_EXECUTABLE={sys.executable}",
            f"-DPT_VERSION={version()}",
            f"-DPT_TORCH_VERSION={torch.__version__}",
            f"-DCMAKE_LIBRARY_OUTPUT_DIRECTORY={output}",
            f"-DPT_WERROR={'ON' if os.environ.get('PT_WERROR') == '1' else 'OFF'}",
            f"-DPT_CUDA={'ON' if cuda else 'OFF'}",
            f"-DPT_CUDA_ARCHITECTURES={os.environ.get('PYTRANSFORMER_CUDA_ARCHITECTURES', '')}",
        ]
        environment = {**os.environ, "PATH": self._path()}
        subprocess.run(configure, check=True, env=environment)
        subprocess.run(["cmake", "--build", str(build)], check=True, env=environment)
        # Read before the extension is loaded: a foreign torch could not even load it.
        (output / "_built_for.py").write_text(f'TORCH = "{torch.__version__}"\n', encoding="utf-8")

    @staticmethod
    def _cuda(torch: ModuleType) -> bool:
        """Whether kernels for CUDA are built: where PYTRANSFORMER_CUDA=1 asks for them."""
        if os.environ.get("PYTRANSFORMER_CUDA", "0") != "1":
            print("building for the CPU alone; PYTRANSFORMER_CUDA=1 adds kernels for CUDA")
            return False
        if torch.version.cuda is None:
            raise RuntimeError(
                f"PYTRANSFORMER_CUDA is 1, but torch {torch.__version__} has no CUDA; install a "
                "torch that has (https://pytorch.org/get-started), or leave PYTRANSFORMER_CUDA out"
            )
        if shutil.which(os.environ.get("CUDACXX", "nvcc")) is None:
            raise RuntimeError(
                "PYTRANSFORMER_CUDA is 1, but there is no nvcc on the PATH; install the CUDA "
                f"toolkit {torch.version.cuda}, or name its nvcc in CUDACXX"
            )
        return True

    def copy_extensions_to_source(self) -> None:
        """For builds in place: what build_extension wrote beside the extension comes along."""
        super().copy_extensions_to_source()
        beside = ROOT / self.build_lib / "pytransformer" / "_built_for.py"
        self.copy_file(str(beside), str(ROOT / "pytransformer" / "_built_for.py"))

    @staticmethod
    def _build_directory(torch_file: str) -> Path:
        """One that stays, so that the next build takes seconds; one for each environment, since
        CMake remembers what it found there."""
        environment = hashlib.sha256(f"{sys.executable}\n{torch_file}".encode()).hexdigest()[:8]
        return ROOT / "build" / f"cp{sys.version_info.major}{sys.version_info.minor}-{environment}"

    @staticmethod
    def _pybind11() -> str:
        import pybind11

        return pybind11.get_cmake_dir()

    @staticmethod
    def _path() -> str:
        """cmake and ninja of the running environment come first."""
        return f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"


setup(
    version=version(),
    ext_modules=[Extension("pytransformer._C", sources=[])],
    cmdclass={"build_ext": CMakeBuild},
)
