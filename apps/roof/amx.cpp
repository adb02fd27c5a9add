#include "roof/amx.h"

#if defined(__x86_64__) && defined(__linux__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace mainspring::roof {

#if defined(__x86_64__) && defined(__linux__)
bool has_amx() {
  constexpr long kRequest = 0x1023, kTileData = 18;  // arch_prctl's ARCH_REQ_XCOMP_PERM
  unsigned a = 0, b = 0, c = 0, d = 0;
  const bool tiles = __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d >> 24 & 1) && (d >> 25 & 1);
  return tiles && syscall(SYS_arch_prctl, kRequest, kTileData) == 0;
}

// Five sums, since a product is waited for about three others' time. As asm: without -mamx-int8 there are no names for these.
void int8_amx(int64_t n) {
  struct alignas(64) {
    uint8_t palette = 1, start = 0, reserved[14] = {};
    uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64};
    uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16};
  } const config;
  asm volatile("ldtilecfg %0" ::"m"(config));
  for (; n > 0; --n) {
    asm volatile(
        "tdpbssd %tmm6, %tmm5, %tmm0\n\ttdpbssd %tmm6, %tmm5, %tmm1\n\ttdpbssd %tmm6, %tmm5, %tmm2\n\ttdpbssd %tmm6, %tmm5, %tmm3\n\t"
        "tdpbssd %tmm6, %tmm5, %tmm4\n\ttdpbssd %tmm6, %tmm5, %tmm0\n\ttdpbssd %tmm6, %tmm5, %tmm1\n\ttdpbssd %tmm6, %tmm5, %tmm2\n\t"
        "tdpbssd %tmm6, %tmm5, %tmm3\n\ttdpbssd %tmm6, %tmm5, %tmm4");
  }
  asm volatile("tilerelease");
}
#else
bool has_amx() { return false; }
void int8_amx(int64_t) {}
#endif

}  // namespace mainspring::roof
