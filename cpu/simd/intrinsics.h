// The one door to x86 intrinsics. ISA files include this and no other intrinsics header: with MAINSPRING_EMULATE_ISA the same names come
// from SIMDe, so that a file for a wider machine than this one runs (slowly) in the `isa-emulated` test lane.
#pragma once

#if defined(MAINSPRING_EMULATE_ISA)
#ifndef SIMDE_ENABLE_NATIVE_ALIASES
#define SIMDE_ENABLE_NATIVE_ALIASES
#endif
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpragmas"
#pragma GCC diagnostic ignored "-Wall"
#pragma GCC diagnostic ignored "-Wextra"
#pragma GCC diagnostic ignored "-Wpedantic"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#include <simde/x86/avx512.h>
#include <simde/x86/f16c.h>
#include <simde/x86/fma.h>
#pragma GCC diagnostic pop
#else
#include <immintrin.h>
#endif

/// For functions that take or return vectors: a call would pass them through memory, and across ABIs.
#define MAINSPRING_INLINE inline __attribute__((always_inline))

/// Register arrays live in registers only when the loops over them are unrolled and the functions that take them by reference are inlined.
/// Emulation has no use for either, and compiles in seconds instead of minutes without.
#if defined(MAINSPRING_EMULATE_ISA)
#define MAINSPRING_UNROLL
#define MAINSPRING_INLINE_LOOPS inline
#pragma GCC diagnostic ignored "-Wpsabi"  // 512-bit vectors without AVX-512 registers: passed in one file only
#else
#if defined(__clang__)
#define MAINSPRING_UNROLL _Pragma("unroll")
#else
#define MAINSPRING_UNROLL _Pragma("GCC unroll 16")
#endif
#define MAINSPRING_INLINE_LOOPS MAINSPRING_INLINE
#endif
