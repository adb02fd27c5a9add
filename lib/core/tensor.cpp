#include "mainspring/tensor.h"

#include <cstdlib>
#include <cstring>

#include "core/buffer.h"
#include "core/checked.h"
#include "core/error.h"

namespace mainspring::inline v0 {

Result<size_t> Tensor::bytes_of(DType dtype, const Shape& shape) {
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

Result<Tensor> Tensor::make(Allocator& allocator, DType dtype, Shape shape) {
  MAINSPRING_TRY(const size_t bytes, bytes_of(dtype, shape));
  MAINSPRING_TRY(Buffer buffer, Buffer::create(allocator, std::max<size_t>(bytes, 1), "a tensor"));
  auto owner = std::make_shared<Buffer>(std::move(buffer));
  void* data = owner->data();
  Tensor t = share(dtype, shape, data, std::shared_ptr<void>(std::move(owner), data));
  if (dtype == DType::string)
    for (std::string_view& s : t.span<std::string_view>()) s = {};
  return t;
}

Result<Tensor> Tensor::copy_strings(Allocator& allocator, std::span<const std::string_view> strings, Shape shape) {
  MAINSPRING_TRY(const size_t views, bytes_of(DType::string, shape));
  if (strings.size() * sizeof(std::string_view) != views) return invalid("tensor: {} strings were given, the shape holds {}", strings.size(), views / sizeof(std::string_view));
  size_t bytes = std::max<size_t>(views, 1);
  for (const std::string_view s : strings) {
    const auto sum = checked_add(bytes, s.size());
    if (!sum) return invalid("tensor: the strings' number of bytes overflows");
    bytes = *sum;
  }
  MAINSPRING_TRY(Buffer buffer, Buffer::create(allocator, bytes, "a tensor of strings"));
  auto owner = std::make_shared<Buffer>(std::move(buffer));
  std::byte* data = owner->data();
  auto* view = reinterpret_cast<std::string_view*>(data);
  char* text = reinterpret_cast<char*>(data + views);
  for (const std::string_view s : strings) {
    if (!s.empty()) std::memcpy(text, s.data(), s.size());
    *view++ = {text, s.size()};
    text += s.size();
  }
  return share(DType::string, shape, data, std::shared_ptr<void>(std::move(owner), data));
}

Result<Tensor> Tensor::reshaped(Shape shape) const {
  MAINSPRING_TRY(const size_t bytes, bytes_of(dtype_, shape));
  if (bytes != bytes_) return invalid("tensor: {} elements do not fill a shape of {}", elements(), shape.elements());
  Tensor t = *this;
  t.shape_ = shape;
  return t;
}

Tensor Tensor::share(DType dtype, Shape shape, void* data, std::shared_ptr<void> storage) {
  Tensor t;
  t.dtype_ = dtype;
  t.shape_ = shape;
  t.data_ = data;
  t.bytes_ = static_cast<size_t>(shape.elements()) / static_cast<size_t>(info_of(dtype).block) * static_cast<size_t>(info_of(dtype).bytes);
  t.storage_ = std::move(storage);
  return t;
}

}  // namespace mainspring::inline v0
