// error: conver
// A Result is no value: it must be looked into first.
#include <mainspring/model.h>

mainspring::Model open() {
#ifdef CONTROL
  return mainspring::Model::open("m.gguf").value();
#else
  return mainspring::Model::open("m.gguf");
#endif
}
