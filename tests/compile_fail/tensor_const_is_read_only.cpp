// error: read-only|returns a const value
// Through a const tensor elements are read, not written.
#include <mainspring/tensor.h>

#ifdef CONTROL
void set(mainspring::Tensor& t) { t.span<float>()[0] = 1; }
#else
void set(const mainspring::Tensor& t) { t.span<float>()[0] = 1; }
#endif
