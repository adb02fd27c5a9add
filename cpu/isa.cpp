#include "cpu/isa.h"

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#endif
#if defined(__linux__) && defined(__x86_64__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include "core/error.h"

namespace mainspring::inline v0 {
namespace {

#if defined(__x86_64__) || defined(__i386__)
struct Regs {
  uint32_t a = 0, b = 0, c = 0, d = 0;
};

Regs cpuid(uint32_t leaf, uint32_t sub) {
  Regs r;
  if (!__get_cpuid_count(leaf, sub, &r.a, &r.b, &r.c, &r.d)) return {};
  return r;
}

// The register files that the operating system saves on a context switch. A CPU flag without its state bits means SIGILL or torn registers.
uint64_t saved_state() {
  uint32_t lo = 0, hi = 0;
  __asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
  return static_cast<uint64_t>(hi) << 32 | lo;
}

constexpr bool bit(uint32_t word, int i) { return word >> i & 1; }

bool has_tiles() {
  const Regs l7 = cpuid(7, 0);
  return bit(cpuid(1, 0).c, 27) && (saved_state() & 0x60000) == 0x60000 && bit(l7.d, 24) && bit(l7.d, 25) && bit(l7.d, 22);
}

#if defined(__linux__) && defined(__x86_64__)
// arch_prctl, as the kernel's Documentation/arch/x86/xstate.rst numbers it; kernels before 5.16 know neither (and do not save tiles).
constexpr long kGetPermitted = 0x1022, kRequest = 0x1023, kTileData = 18;

bool tiles_permitted() {
  uint64_t permitted = 0;
  return syscall(SYS_arch_prctl, kGetPermitted, &permitted) == 0 && (permitted >> kTileData & 1);
}
#else
bool tiles_permitted() { return true; }  // elsewhere what xgetbv says is all there is
#endif
#endif

}  // namespace

IsaSet detect_isa() {
  IsaSet set;
#if defined(__x86_64__) || defined(__i386__)
  const Regs l1 = cpuid(1, 0);
  const bool osxsave = bit(l1.c, 27);
  if (!osxsave) return set;
  const uint64_t state = saved_state();
  const bool ymm = (state & 0x6) == 0x6;
  const bool zmm = ymm && (state & 0xe0) == 0xe0;
  const Regs l7 = cpuid(7, 0);
  const Regs l71 = l7.a >= 1 ? cpuid(7, 1) : Regs{};

  const bool avx2 = ymm && bit(l1.c, 28) && bit(l7.b, 5) && bit(l1.c, 12) && bit(l1.c, 29);
  if (!avx2) return set;
  set = set.with(Isa::avx2);
  if (bit(l71.a, 4)) set = set.with(Isa::avxvnni);
  const bool avx512 = zmm && bit(l7.b, 16) && bit(l7.b, 30) && bit(l7.b, 31) && bit(l7.b, 17);
  if (!avx512) return set;
  set = set.with(Isa::avx512);
  if (!bit(l7.c, 11)) return set;
  set = set.with(Isa::avx512vnni);
  if (has_tiles() && tiles_permitted()) set = set.with(Isa::amx);
#endif
  return set;
}

std::string processor_name() {
#if defined(__x86_64__) || defined(__i386__)
  const Regs l0 = cpuid(0, 0), l1 = cpuid(1, 0);
  std::string name;
  for (const uint32_t word : {l0.b, l0.d, l0.c})
    for (int i = 0; i < 4; ++i) name.push_back(static_cast<char>(word >> 8 * i & 0xff));
  const uint32_t family = l1.a >> 8 & 15, model = l1.a >> 4 & 15;
  name += fmt::format(" {}-{}-{}", family == 15 ? family + (l1.a >> 20 & 255) : family, model + (family == 6 || family == 15 ? l1.a >> 12 & 0xf0 : 0), l1.a & 15);
  const bool hybrid = l0.a >= 7 && bit(cpuid(7, 0).d, 15);
  if (const uint32_t kib = cpuid(0x80000006, 0).c >> 16; !hybrid && kib > 0) name += fmt::format(" L2 {}", kib);
  return name;
#else
  return "unknown";
#endif
}

void request_tiles() {
#if defined(__linux__) && defined(__x86_64__)
  if (has_tiles()) syscall(SYS_arch_prctl, kRequest, kTileData);
#endif
}

Result<IsaSet> cap(IsaSet set, std::string_view name) {
  for (int i = 0; i < kIsas; ++i) {
    if (name != name_of(static_cast<Isa>(i))) continue;
    for (int above = i + 1; above < kIsas; ++above) set = set.without(static_cast<Isa>(above));
    return set;
  }
  return invalid("cpu: unknown instruction set '{}', expected scalar, avx2, avxvnni, avx512, avx512vnni or amx", name);
}

}  // namespace mainspring::inline v0
