// pytransformer._C: what this build is, and which instruction set it uses. Importing it registers
// the ops of library.cpp.
#include <omp.h>
#include <pybind11/pybind11.h>

#include "../kernels/cpu/kernels.h"
#include "../kernels/cpu/profile.h"
#include "subwords.h"
#ifdef PT_CUDA
#include "../kernels/cuda/runtime.h"
#endif
#define PT_ISA generic
#include "../kernels/cpu/scratch.h"

namespace py = pybind11;

namespace {

py::dict build_information() {
  py::dict info;
  info["version"] = PT_VERSION;
  info["torch"] = PT_TORCH_VERSION;
  info["compiler"] = PT_COMPILER;
#ifdef PT_CUDA
  const int version = pt::cuda::toolkit_version();
  info["cuda"] = std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
#else
  info["cuda"] = py::none();
#endif
  return info;
}

// Names, best first; the second of each pair says whether this machine runs it.
py::list instruction_sets() {
  pt::AvailableKernels tables[pt::kMaxIsas];
  const int count = pt::available_kernels(tables);
  py::list names;
  for (int i = 0; i < count; i++) {
    names.append(py::make_tuple(tables[i].table->isa, tables[i].runs_here));
  }
  return names;
}

// Operations done by all threads in `rounds` rounds of multiply-adds on registers.
double peak(const std::string& dtype, int64_t rounds) {
  pt::PeakArgs args{};
  if (dtype == "float32") {
    args.type = pt::Type::float32;
  } else if (dtype == "bfloat16") {
    args.type = pt::Type::bfloat16;
  } else if (dtype == "float64") {
    args.type = pt::Type::float64;
  } else {
    throw py::value_error("dtype is '" + dtype + "'; choose float32, bfloat16 or float64");
  }
  double operations = 0;
  args.rounds = rounds;
  args.operations = &operations;
  const py::gil_scoped_release release;
  pt::kernels().peak(args);
  return operations;
}

py::dict stop_profile() {
  int count = 0;
  const pt::KernelTime* times = pt::stop_profile(count);
  py::dict result;
  for (int i = 0; i < count; i++) {
    if (times[i].calls > 0)
      result[times[i].name] = py::make_tuple(times[i].calls, times[i].seconds);
  }
  return result;
}

}  // namespace

PYBIND11_MODULE(_C, m) {
  m.doc() = "Compiled kernels of pytransformer.";
  m.def("build_information", build_information,
        "What was built: version, torch, compiler, cuda (None without).");
  m.def("instruction_sets", instruction_sets,
        "[(name, whether this machine runs it)], best first.");
  m.def("isa", [] { return pt::kernels().isa; }, "The instruction set in use.");
  m.def(
      "set_isa", [](const std::string& name) { pt::select_kernels(name.c_str()); }, py::arg("name"),
      "Use another instruction set from now on, in the whole process. Raises RuntimeError when it "
      "is not compiled in or this machine lacks it.");
  m.def(
      "kernel_names",
      [] {
        py::list names;
#define PT_NAME(name, Args) names.append(#name);
        PT_FOR_EACH_KERNEL(PT_NAME)
#undef PT_NAME
        return names;
      },
      "The kernels compiled in, for every instruction set.");
  m.def("peak", peak, py::arg("dtype"), py::arg("rounds"),
        "Run multiply-adds on registers, `rounds` times, on every thread; returns the number of "
        "floating-point operations done. Time it to know what the machine can do.");
  m.def("start_profile", pt::start_profile, "Count the time that every kernel takes from now on.");
  m.def("stop_profile", stop_profile,
        "Stop counting. Returns {kernel: (calls, seconds)} for every kernel that was called.");
  m.def("workspace_bytes", pt::scratch::kept,
        "Bytes of scratch memory that threads keep for the next calls.");
  m.def("release_workspaces", pt::scratch::drop_all,
        "Give that memory back; of a kernel that is running, when it has finished.");
  m.def(
      "omp_max_threads", [] { return omp_get_max_threads(); },
      "Threads of the OpenMP pool that kernels use; torch.set_num_threads governs it.");
  pt::bind_subwords(m);
}
