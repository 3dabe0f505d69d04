#include <atomic>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>

#include "kernels.h"

namespace pt {

#ifdef PT_HAVE_X86
namespace avx512_bf16 {
extern const Kernels table;
}
namespace avx512 {
extern const Kernels table;
}
namespace avx2 {
extern const Kernels table;
}
#endif
namespace generic {
extern const Kernels table;
}

int available_kernels(AvailableKernels (&tables)[kMaxIsas]) {
  int count = 0;
#ifdef PT_HAVE_X86
  const bool fma = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool wide = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                    __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  const bool pairs = __builtin_cpu_supports("avx512bf16");
  tables[count++] = {&avx512_bf16::table, fma && wide && pairs};
  tables[count++] = {&avx512::table, fma && wide};
  tables[count++] = {&avx2::table, fma};
#endif
  tables[count++] = {&generic::table, true};
  return count;
}

namespace {

std::atomic<const Kernels*> selected{nullptr};

const Kernels* best() {
  AvailableKernels tables[kMaxIsas];
  const int count = available_kernels(tables);
  for (int i = 0; i < count; i++) {
    if (tables[i].runs_here) return tables[i].table;
  }
  return &generic::table;
}

const Kernels* named(const std::string& isa) {
  AvailableKernels tables[kMaxIsas];
  const int count = available_kernels(tables);
  std::string choices;
  for (int i = 0; i < count; i++) {
    if (isa == tables[i].table->isa) {
      if (tables[i].runs_here) return tables[i].table;
      throw std::runtime_error("instruction set '" + isa + "' is compiled in, but this machine's " +
                               "processor lacks it; choose another with PYTRANSFORMER_ISA");
    }
    choices += (i > 0 ? ", " : "") + std::string(tables[i].table->isa);
  }
  throw std::runtime_error("instruction set '" + isa + "' is not compiled in; choose one of " +
                           choices);
}

}  // namespace

const Kernels& kernels() {
  const Kernels* table = selected.load(std::memory_order_acquire);
  if (table == nullptr) {
    const char* isa = std::getenv("PYTRANSFORMER_ISA");
    table = isa != nullptr && *isa != '\0' ? named(isa) : best();
    selected.store(table, std::memory_order_release);
  }
  return *table;
}

void select_kernels(const char* isa) { use_kernels(*named(isa)); }

void use_kernels(const Kernels& table) { selected.store(&table, std::memory_order_release); }

}  // namespace pt
