// error: deleted|does not match
// A span of a temporary tensor would dangle at the semicolon.
#include <mainspring/tensor.h>

mainspring::Tensor make();

float first() {
#ifdef CONTROL
  mainspring::Tensor t = make();
  return t.span<float>()[0];
#else
  return make().span<float>()[0];
#endif
}
