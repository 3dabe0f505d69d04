#ifdef PT_HAVE_X86
#include <cpuid.h>
#endif

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>
#include <utility>

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

namespace {

// Intel's cores since Sapphire Rapids multiply pairs of bfloat16 at half the rate of float32
// numbers (99 and 208 GFLOP/s on Emerald Rapids, by the kernel `peak`): bfloat16 is AMX's there.
// They are told by their float16 arithmetic, since virtual machines often hide AMX.
bool multiplies_pairs_slowly() {
  constexpr unsigned kFloat16 = 1u << 23;  // leaf 7, EDX: AVX512_FP16
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __builtin_cpu_is("intel") && __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d & kFloat16);
}

}  // namespace
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
  if (multiplies_pairs_slowly()) std::swap(tables[0], tables[1]);
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
