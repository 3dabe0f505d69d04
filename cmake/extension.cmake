# The Python module, against the torch that is installed.

find_package(Python REQUIRED COMPONENTS Interpreter Development.Module)
find_package(pybind11 CONFIG REQUIRED)
# torch's own package hands its flags to every target of the directory; the ones that matter here
# are the headers and the libraries.
find_package(Torch REQUIRED)
find_library(PT_TORCH_PYTHON torch_python PATHS "${TORCH_INSTALL_PREFIX}/lib" NO_DEFAULT_PATH
             REQUIRED)

pybind11_add_module(_C MODULE NO_EXTRAS
  csrc/bindings/library.cpp
  csrc/bindings/module.cpp
  csrc/ops/attention.cpp
  csrc/ops/embedding.cpp
  csrc/ops/feed_forward.cpp
  csrc/ops/layer_norm.cpp
  csrc/ops/linear.cpp
  csrc/ops/linear_cross_entropy.cpp
  csrc/ops/rows.cpp
  csrc/ops/tensors.cpp)
# Found beside the package wherever both are installed; torch has usually loaded its libraries by
# then, the OpenMP runtime that kernels share with it among them.
set_target_properties(_C PROPERTIES
  BUILD_WITH_INSTALL_RPATH ON
  INSTALL_RPATH "$ORIGIN/../torch/lib"
  INSTALL_RPATH_USE_LINK_PATH OFF)
target_include_directories(_C SYSTEM PRIVATE ${TORCH_INCLUDE_DIRS})
target_link_libraries(_C PRIVATE pt_kernels torch torch_cpu c10)
target_compile_definitions(_C PRIVATE
  PT_VERSION="${PT_VERSION}"
  PT_TORCH_VERSION="${PT_TORCH_VERSION}"
  PT_COMPILER="${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION}")
install(TARGETS _C LIBRARY DESTINATION pytransformer)
