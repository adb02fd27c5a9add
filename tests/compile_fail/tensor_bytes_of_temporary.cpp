// error: deleted|does not match
// Bytes of a temporary tensor would dangle as well.
#include <mainspring/tensor.h>

mainspring::Tensor make();

std::byte first() {
#ifdef CONTROL
  const mainspring::Tensor t = make();
  return t.bytes()[0];
#else
  return make().bytes()[0];
#endif
}
