// The mathematical functions of either arithmetic type under one name.
#pragma once

#include "device.h"

namespace pt::cuda {

__device__ __forceinline__ float natural_exp(float x) { return expf(x); }
__device__ __forceinline__ double natural_exp(double x) { return exp(x); }
__device__ __forceinline__ float natural_log(float x) { return logf(x); }
__device__ __forceinline__ double natural_log(double x) { return log(x); }
__device__ __forceinline__ float binary_exp(float x) { return exp2f(x); }
__device__ __forceinline__ double binary_exp(double x) { return exp2(x); }
__device__ __forceinline__ float reciprocal_root(float x) { return rsqrtf(x); }
__device__ __forceinline__ double reciprocal_root(double x) { return rsqrt(x); }
// 1 - the error function.
__device__ __forceinline__ float error_complement(float x) { return erfcf(x); }
__device__ __forceinline__ double error_complement(double x) { return erfc(x); }

}  // namespace pt::cuda
