// The matrix product of bfloat16 operands.
#include "matmul_halves.h"

namespace pt::cuda {

template Status multiply_halves<bfloat16>(const MatmulArgs& args, const Parts& parts, Queue& queue);

}  // namespace pt::cuda
