// Which vector instructions the machine has, and how a loop is compiled for each of them.
//
// A file of loops, NAME.inc, is compiled once per instruction set by `each_instruction_set.inc`,
// each time in a namespace of its own; `DMF_DISPATCH` calls the best one of this machine.

#ifndef DMF_KERNELS_INSTRUCTION_SETS_H_
#define DMF_KERNELS_INSTRUCTION_SETS_H_

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>

// Fixed loops of independent iterations; -fopenmp-simd makes it a promise to the compiler.
#define DMF_SIMD _Pragma("omp simd")

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define DMF_X86 1
#include <immintrin.h>
#else
#define DMF_X86 0
#endif

namespace dmf {

enum class InstructionSet { kPortable, kAvx2, kAvxVnni, kAvx512Vnni };

inline InstructionSet Detected() {
#if DMF_X86
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512vnni")) {
    return InstructionSet::kAvx512Vnni;
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    return __builtin_cpu_supports("avxvnni") ? InstructionSet::kAvxVnni : InstructionSet::kAvx2;
  }
#endif
  return InstructionSet::kPortable;
}

// The best set of this machine, or a lower one that DMF_KERNELS_ISA names: portable, avx2, avxvnni.
inline InstructionSet Best() {
  static const InstructionSet best = [] {
    const InstructionSet found = Detected();
    const char* name = std::getenv("DMF_KERNELS_ISA");
    if (name == nullptr) return found;
    InstructionSet wanted = found;
    if (std::strcmp(name, "portable") == 0) wanted = InstructionSet::kPortable;
    if (std::strcmp(name, "avx2") == 0) wanted = InstructionSet::kAvx2;
    if (std::strcmp(name, "avxvnni") == 0) wanted = InstructionSet::kAvxVnni;
    return wanted < found ? wanted : found;
  }();
  return best;
}

}  // namespace dmf

#if DMF_X86
#define DMF_DISPATCH(function, ...)                                      \
  switch (::dmf::Best()) {                                               \
    case ::dmf::InstructionSet::kAvx512Vnni:                             \
      avx512_vnni::function(__VA_ARGS__);                                \
      break;                                                             \
    case ::dmf::InstructionSet::kAvxVnni:                                \
      avx_vnni::function(__VA_ARGS__);                                   \
      break;                                                             \
    case ::dmf::InstructionSet::kAvx2:                                   \
      avx2::function(__VA_ARGS__);                                       \
      break;                                                             \
    default:                                                             \
      portable::function(__VA_ARGS__);                                   \
  }
#else
#define DMF_DISPATCH(function, ...) portable::function(__VA_ARGS__)
#endif

#endif  // DMF_KERNELS_INSTRUCTION_SETS_H_
