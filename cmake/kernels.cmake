# One object library per instruction set from the same sources, and the dispatch above them.

set(PT_KERNEL_SOURCES
  attention_backward attention_forward attention_weights embedding layer_norm_backward
  layer_norm_forward linear_cross_entropy matmul peak rows table)
list(TRANSFORM PT_KERNEL_SOURCES PREPEND csrc/kernels/cpu/)
list(TRANSFORM PT_KERNEL_SOURCES APPEND .cpp)

add_library(pt_kernels STATIC csrc/kernels/cpu/dispatch.cpp csrc/kernels/cpu/profile.cpp
  csrc/kernels/cpu/scratch.cpp)
target_link_libraries(pt_kernels PUBLIC OpenMP::OpenMP_CXX)

function(pt_add_isa isa)
  add_library(pt_kernels_${isa} OBJECT ${PT_KERNEL_SOURCES})
  target_compile_definitions(pt_kernels_${isa} PRIVATE PT_ISA=${isa})
  # Contraction is spelled out where it is wanted: left to the compiler, it would differ from one
  # copy of a loop to the next and results with it. -Wno-psabi: vectors never cross a call.
  target_compile_options(pt_kernels_${isa} PRIVATE -ffp-contract=off -Wno-psabi ${ARGN})
  target_link_libraries(pt_kernels_${isa} PRIVATE OpenMP::OpenMP_CXX)
  target_sources(pt_kernels PRIVATE $<TARGET_OBJECTS:pt_kernels_${isa}>)
endfunction()

pt_add_isa(generic)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  pt_add_isa(avx2 -mavx2 -mfma)
  # gcc's own avx512 headers read variables before they are set, on purpose (gcc bug 105593).
  set(PT_AVX512 -mavx2 -mfma -mavx512f -mavx512bw -mavx512dq -mavx512vl
      -Wno-uninitialized $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
  pt_add_isa(avx512 ${PT_AVX512})
  pt_add_isa(avx512_bf16 ${PT_AVX512} -mavx512bf16)
  target_compile_definitions(pt_kernels PRIVATE PT_HAVE_X86)
endif()

# Of csrc/kernels/cuda, without their suffix.
set(PT_CUDA_KERNELS
  activation_forward attention_backward attention_backward_keys attention_backward_plain
  attention_backward_queries attention_forward attention_forward_plain attention_weights
  column_sums embedding_backward embedding_forward layer_norm_backward layer_norm_forward
  linear_cross_entropy matmul matmul_bfloat16 matmul_float16 matmul_plain sum_of_squares
  top_log_probs top_log_probs_many)
