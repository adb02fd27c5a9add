// Which instruction sets may this process use? In: cpuid, xgetbv and what the system permits. Out: an IsaSet, that kernel tables are filtered by, once,
// at bind time.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "mainspring/result.h"

namespace mainspring::inline v0 {

/// What kernel files are compiled for, in ascending order; the file name's prefix is the enumerator's name.
/// Each names a bundle of cpuid bits: avx2 = AVX2+FMA+F16C; avxvnni = avx2+AVX-VNNI; avx512 = avx2+F,BW,VL,DQ;
/// avx512vnni = avx512+AVX512-VNNI; amx = avx512vnni+AMX tile, int8, bf16 (the host must have asked the kernel for tile state).
enum class Isa : uint8_t { scalar, avx2, avxvnni, avx512, avx512vnni, amx };
inline constexpr int kIsas = static_cast<int>(Isa::amx) + 1;

constexpr const char* name_of(Isa isa) {
  constexpr const char* names[kIsas] = {"scalar", "avx2", "avxvnni", "avx512", "avx512vnni", "amx"};
  return names[static_cast<int>(isa)];
}

/// A set of Isa; always holds scalar.
struct IsaSet {
  uint32_t bits = 1;
  constexpr bool has(Isa isa) const { return bits >> static_cast<int>(isa) & 1; }
  constexpr IsaSet with(Isa isa) const { return {bits | 1u << static_cast<int>(isa)}; }
  constexpr IsaSet without(Isa isa) const { return {(bits & ~(1u << static_cast<int>(isa))) | 1u}; }
  friend constexpr bool operator==(IsaSet a, IsaSet b) { return a.bits == b.bits; }
};

/// What this CPU and its operating system support for this process as it is. Costs some cpuid instructions and, where there are tiles, one
/// question to the system; keeps no state, changes nothing.
IsaSet detect_isa();

/// The processor as far as a kernel's speed depends on it, the instruction sets apart: "GenuineIntel 6-207-2 L2 2048". A hybrid's is the same on all its
/// cores, whichever asks: it leaves the cache out.
std::string processor_name();

/// Asks Linux to let this process use AMX tiles, whose 8 KB of state a thread carries only after it has asked. It holds for all threads from here on
/// and cannot be taken back; signal frames may become larger, so the system refuses where a thread's alternate stack is too small for that. Does
/// nothing on machines without tiles, and nothing a second time. The provider calls it once, when it is made, unless capped below amx; where it is
/// refused, detect_isa has no amx.
void request_tiles();

/// `set` without everything that comes after `name` in Isa's order ("avx2" leaves scalar and avx2). invalid_argument: an unknown name.
Result<IsaSet> cap(IsaSet set, std::string_view name);

}  // namespace mainspring::inline v0
