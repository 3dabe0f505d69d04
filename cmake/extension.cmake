# The Python module, against the torch that is installed.

find_package(Python REQUIRED COMPONENTS Interpreter Development.Module)
find_package(pybind11 CONFIG REQUIRED)
# torch's headers and libraries by their places: find_package(Torch) of a torch for CUDA insists on
# a CUDA toolkit, which a build for the CPU does not need. PT_TORCH_ROOT names a torch that is not
# installed.
if(PT_TORCH_ROOT)
  set(PT_TORCH_CXX11_ABI 1)
else()
  execute_process(
    COMMAND "${Python_EXECUTABLE}" -c "import pathlib, torch
print(pathlib.Path(torch.__file__).parent.as_posix(), int(torch.compiled_with_cxx11_abi()), sep=';')"
    OUTPUT_VARIABLE PT_TORCH OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
  list(GET PT_TORCH 0 PT_TORCH_ROOT)
  list(GET PT_TORCH 1 PT_TORCH_CXX11_ABI)
endif()
foreach(library torch torch_cpu c10)
  find_library(PT_LIB_${library} ${library} PATHS "${PT_TORCH_ROOT}/lib"
               NO_DEFAULT_PATH NO_CACHE REQUIRED)
endforeach()

pybind11_add_module(_C MODULE NO_EXTRAS
  csrc/autograd/attention.cpp
  csrc/autograd/embedding.cpp
  csrc/autograd/feed_forward.cpp
  csrc/autograd/layer_norm.cpp
  csrc/autograd/linear.cpp
  csrc/autograd/linear_cross_entropy.cpp
  csrc/autograd/tied.cpp
  csrc/bindings/library.cpp
  csrc/bindings/module.cpp
  csrc/bindings/subwords.cpp
  csrc/ops/attention.cpp
  csrc/ops/device.cpp
  csrc/ops/embedding.cpp
  csrc/ops/feed_forward.cpp
  csrc/ops/layer_norm.cpp
  csrc/ops/linear.cpp
  csrc/ops/linear_cross_entropy.cpp
  csrc/ops/orthogonalize.cpp
  csrc/ops/rows.cpp
  csrc/ops/tensors.cpp
  csrc/ops/tied.cpp
  csrc/subwords/bpe.cpp)
# Found beside the package wherever both are installed; torch has usually loaded its libraries by
# then, the OpenMP runtime that kernels share with it among them.
set_target_properties(_C PROPERTIES
  BUILD_WITH_INSTALL_RPATH ON
  INSTALL_RPATH "$ORIGIN/../torch/lib"
  INSTALL_RPATH_USE_LINK_PATH OFF)
target_include_directories(_C SYSTEM PRIVATE
  "${PT_TORCH_ROOT}/include" "${PT_TORCH_ROOT}/include/torch/csrc/api/include")
target_link_libraries(_C PRIVATE pt_kernels
  ${PT_LIB_torch} ${PT_LIB_torch_cpu} ${PT_LIB_c10})
target_compile_definitions(_C PRIVATE
  _GLIBCXX_USE_CXX11_ABI=${PT_TORCH_CXX11_ABI}
  PT_VERSION="${PT_VERSION}"
  PT_TORCH_VERSION="${PT_TORCH_VERSION}"
  PT_COMPILER="${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION}")
if(PT_CUDA)
  find_library(PT_LIB_c10_cuda c10_cuda PATHS "${PT_TORCH_ROOT}/lib" NO_DEFAULT_PATH NO_CACHE)
  if(NOT PT_LIB_c10_cuda)
    message(FATAL_ERROR "PT_CUDA is ON, but the torch in ${PT_TORCH_ROOT} has no CUDA; install one "
                        "that has (https://pytorch.org/get-started), or build with PT_CUDA=OFF")
  endif()
  target_sources(_C PRIVATE csrc/ops/cuda_queue.cpp)
  target_compile_definitions(_C PRIVATE PT_CUDA)
  target_link_libraries(_C PRIVATE pt_cuda_kernels ${PT_LIB_c10_cuda})
endif()
install(TARGETS _C LIBRARY DESTINATION pytransformer)
