# The CUDA kernels as nvcc compiles them, for every GPU at once. Without torch.

set(PT_CUDA_ARCHITECTURES "" CACHE STRING
  "GPUs to compile for: native, or a list as 80;90a; empty: all that the toolkit knows from 80 on")

enable_language(CUDA)
find_package(CUDAToolkit REQUIRED)
if(PT_CUDA_ARCHITECTURES)
  set(architectures ${PT_CUDA_ARCHITECTURES})
else()
  set(architectures 80 86 89 90a)
  if(CUDAToolkit_VERSION VERSION_GREATER_EQUAL 12.8)
    list(APPEND architectures 100a 120)
  endif()
  # What comes later compiles this when it loads it.
  set(PT_CUDA_GENCODE -gencode=arch=compute_80,code=compute_80)
endif()
foreach(architecture ${architectures})
  if(architecture STREQUAL native)
    list(APPEND PT_CUDA_GENCODE -arch=native)
  else()
    list(APPEND PT_CUDA_GENCODE -gencode=arch=compute_${architecture},code=sm_${architecture})
  endif()
endforeach()

function(pt_compile_for_gpus target)
  set_target_properties(${target} PROPERTIES CUDA_ARCHITECTURES OFF CUDA_STANDARD 17)
  target_compile_options(${target} PRIVATE
    "$<$<COMPILE_LANGUAGE:CUDA>:${PT_CUDA_GENCODE}>"
    "$<$<AND:$<COMPILE_LANGUAGE:CUDA>,$<BOOL:${PT_WERROR}>>:-Werror=all-warnings>")
endfunction()

list(TRANSFORM PT_CUDA_KERNELS PREPEND csrc/kernels/cuda/ OUTPUT_VARIABLE sources)
list(TRANSFORM sources APPEND .cu)
add_library(pt_cuda_kernels STATIC EXCLUDE_FROM_ALL ${sources} csrc/kernels/cuda/runtime.cpp)
pt_compile_for_gpus(pt_cuda_kernels)
target_compile_options(pt_cuda_kernels PRIVATE
  "$<$<AND:$<COMPILE_LANGUAGE:CUDA>,$<BOOL:${PT_CUDA_RESOURCES}>>:-Xptxas=-v>")
target_link_libraries(pt_cuda_kernels PUBLIC CUDA::cudart_static)
