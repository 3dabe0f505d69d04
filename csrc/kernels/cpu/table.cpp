// The table of kernels of one instruction set.
#include "kernels.h"

#include "isa.h"

#define PT_STRING_OF(x) #x
#define PT_STRING(x) PT_STRING_OF(x)

PT_ISA_BEGIN

#define PT_DECLARE(name, Args) void name(const Args& args);
PT_FOR_EACH_KERNEL(PT_DECLARE)
#undef PT_DECLARE

extern const Kernels table;
const Kernels table = {PT_STRING(PT_ISA),
#define PT_ENTRY(name, Args) name,
                       PT_FOR_EACH_KERNEL(PT_ENTRY)
#undef PT_ENTRY
};

PT_ISA_END
