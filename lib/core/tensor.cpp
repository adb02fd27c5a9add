#include "mainspring/tensor.h"

#include <cstdlib>
#include <cstring>

#include "core/checked.h"
#include "core/error.h"

namespace mainspring::inline v0 {
namespace {

Result<size_t> bytes_of(DType dtype, const Shape& shape) {
  size_t n = 1;
  for (int64_t d : shape.dims()) {
    if (d < 0) return invalid("tensor: extent {} is negative", d);
    const auto product = checked_mul(n, static_cast<size_t>(d));
    if (!product) return invalid("tensor: the shape's number of elements overflows");
    n = *product;
  }
  const DTypeInfo info = info_of(dtype);
  if (n % static_cast<size_t>(info.block) != 0) return invalid("tensor: {} elements are no multiple of a {} block of {}", n, info.name, info.block);
  const auto bytes = checked_mul(n / static_cast<size_t>(info.block), static_cast<size_t>(info.bytes));
  if (!bytes) return invalid("tensor: the shape's number of bytes overflows");
  return *bytes;
}

}  // namespace

Result<Tensor> Tensor::borrow_bytes(DType dtype, Shape shape, void* data, size_t bytes) {
  MAINSPRING_TRY(const size_t need, bytes_of(dtype, shape));
  if (bytes < need) return invalid("tensor: {} bytes were given, the shape needs {}", bytes, need);
  Tensor t;
  t.dtype_ = dtype;
  t.shape_ = shape;
  t.data_ = data;
  t.bytes_ = need;
  return t;
}

Result<Tensor> Tensor::copy_bytes(DType dtype, Shape shape, const void* data, size_t bytes) {
  MAINSPRING_TRY(Tensor t, borrow_bytes(dtype, shape, const_cast<void*>(data), bytes));
  void* storage = std::malloc(t.bytes_ == 0 ? 1 : t.bytes_);
  if (storage == nullptr) return out_of_memory("tensor: no memory for {} bytes", t.bytes_);
  if (t.bytes_ > 0) std::memcpy(storage, data, t.bytes_);
  t.data_ = storage;
  t.storage_ = std::shared_ptr<void>(storage, std::free);
  return t;
}

}  // namespace mainspring::inline v0
