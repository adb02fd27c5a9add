// Broken on purpose, in the ways that the driver has to see: driver_test.py.
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace {

volatile int sink;
void* volatile kept;  // memory that nobody looks at need not be taken, thinks clang

int endless(int n) {  // NOLINT: the stack must overflow
  volatile char frame[4096];
  frame[0] = static_cast<char>(n);
  return n < 0 ? 0 : endless(n + 1) + frame[0];
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 4 || data[0] != 'B') return 0;
  if (data[1] != 'U') return 0;
  if (data[2] != 'G') return 0;
  switch (data[3]) {
    case '1': std::abort();
    case '2':
      for (;;) sink = sink + 1;
    case '3':
      for (;;)
        if ((kept = std::malloc(size_t{1} << 20)) != nullptr) std::memset(kept, 1, size_t{1} << 20);
        else std::abort();
    case '4': sink = endless(1); break;
    case '5': std::exit(7);
    case '6': std::exit(0);
    default: break;
  }
  return 0;
}
