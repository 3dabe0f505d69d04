// The matrix product for other kernel files of the same instruction set.
#pragma once

#include "../matmul.h"
#include "isa.h"

PT_ISA_BEGIN

void matmul(const MatmulArgs& args);

PT_ISA_END
