# The CUDA kernels as a plain C++ compiler reads them, and what runs them on the CPU: for tests.

# Sanitizers watch the kernels, never the scheduler: fibers of one thread share its data without
# locks.
add_library(pt_cuda_on_host STATIC tests/cuda_on_host/fiber.cpp
  tests/cuda_on_host/instructions.cpp tests/cuda_on_host/threads.cpp)
target_compile_options(pt_cuda_on_host PRIVATE -fno-sanitize=all -O2)
target_link_libraries(pt_cuda_on_host PUBLIC OpenMP::OpenMP_CXX)
find_package(Threads REQUIRED)
target_link_libraries(pt_cuda_on_host PUBLIC Threads::Threads)

list(TRANSFORM PT_CUDA_KERNELS PREPEND csrc/kernels/cuda/ OUTPUT_VARIABLE PT_CUDA_SOURCES)
list(TRANSFORM PT_CUDA_SOURCES APPEND .cu)
set_source_files_properties(${PT_CUDA_SOURCES} PROPERTIES LANGUAGE CXX)
add_library(pt_cuda_kernels_on_host STATIC ${PT_CUDA_SOURCES})
# nvcc's own rules: types may alias, and pragmas are its own. Registers of vectors that lie outside
# a row stay as they are: gcc cannot know that nobody reads them.
target_compile_options(pt_cuda_kernels_on_host PRIVATE -x c++ -fno-strict-aliasing
  -Wno-unknown-pragmas -Wno-uninitialized $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
target_compile_definitions(pt_cuda_kernels_on_host PRIVATE PT_CUDA_ON_HOST)
target_include_directories(pt_cuda_kernels_on_host PRIVATE tests)
target_link_libraries(pt_cuda_kernels_on_host PUBLIC pt_cuda_on_host)
