// A value: dtype, shape and shared storage.
//
// Copies of a Tensor share storage. Host data enters by borrow() (the caller keeps it alive) or copy(); the name says which.
// Thread-safety: a plain handle; the elements are not synchronised.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "mainspring/context.h"
#include "mainspring/export.h"
#include "mainspring/result.h"
#include "mainspring/types.h"

namespace mainspring::inline v0 {

class MAINSPRING_API Tensor {
 public:
  Tensor() = default;  ///< empty: f32 of shape [0]

  /// A view of the host's elements, dense and row-major. They must outlive every copy of the tensor.
  /// Errors: invalid_argument when `elements` does not hold the shape's number of elements.
  template <class T>
  static Result<Tensor> borrow(std::span<T> elements, Shape shape) {
    return borrow_bytes(dtype_of<std::remove_const_t<T>>, shape, const_cast<void*>(static_cast<const void*>(elements.data())), elements.size_bytes());
  }
  /// A copy of the host's elements. Errors: invalid_argument as borrow, out_of_memory.
  template <class T>
  static Result<Tensor> copy(std::span<const T> elements, Shape shape) {
    return copy_bytes(dtype_of<T>, shape, elements.data(), elements.size_bytes());
  }

  DType dtype() const { return dtype_; }
  const Shape& shape() const { return shape_; }
  int64_t elements() const { return shape_.elements(); }
  bool empty() const { return data_ == nullptr; }

  /// The elements. Empty span when T is not the tensor's dtype. Valid while any copy of the tensor lives.
  template <class T>
  std::span<T> span() & {
    return dtype_of<std::remove_const_t<T>> == dtype_ ? std::span<T>(static_cast<T*>(data_), static_cast<size_t>(elements())) : std::span<T>();
  }
  template <class T>
  std::span<const T> span() const& {
    return dtype_of<T> == dtype_ ? std::span<const T>(static_cast<const T*>(data_), static_cast<size_t>(elements())) : std::span<const T>();
  }
  template <class T>
  std::span<T> span() && = delete;  // would dangle at the semicolon

  /// Bytes of the elements, row-major.
  std::span<const std::byte> bytes() const& { return {static_cast<const std::byte*>(data_), bytes_}; }
  std::span<const std::byte> bytes() && = delete;

  static Result<Tensor> borrow_bytes(DType dtype, Shape shape, void* data, size_t bytes);
  static Result<Tensor> copy_bytes(DType dtype, Shape shape, const void* data, size_t bytes);
  /// Bytes of that many elements. Errors: invalid_argument (a negative extent, more elements than a size can say).
  static Result<size_t> bytes_of(DType dtype, const Shape& shape);
  /// Uninitialised elements from the allocator, 64-byte aligned. Errors: invalid_argument (a negative extent, more elements than a size can say), out_of_memory.
  static Result<Tensor> make(Allocator& allocator, DType dtype, Shape shape);
  /// Strings with their characters in one allocation that the tensor owns. Errors: as make; invalid_argument when the counts differ.
  static Result<Tensor> copy_strings(Allocator& allocator, std::span<const std::string_view> strings, Shape shape);
  /// The same elements under another shape, sharing storage. Errors: invalid_argument when the number of elements differs.
  Result<Tensor> reshaped(Shape shape) const;
  /// Writable bytes: for who made the tensor.
  std::byte* data() { return static_cast<std::byte*>(data_); }
  /// Shares `storage`, which keeps `data` alive. The caller has checked that `data` holds the shape's elements.
  /// Whether both are the same elements at the same place.
  friend bool operator==(const Tensor& a, const Tensor& b) { return a.data_ == b.data_ && a.dtype_ == b.dtype_ && a.shape_ == b.shape_; }
  static Tensor share(DType dtype, Shape shape, void* data, std::shared_ptr<void> storage);

 private:
  DType dtype_ = DType::f32;
  Shape shape_{0};
  void* data_ = nullptr;
  size_t bytes_ = 0;
  std::shared_ptr<void> storage_;  // null for borrowed elements
};

/// What a graph takes and gives: nearly always a tensor; a sequence of such; or nothing (an optional without content, an absent input).
struct Datum {
  enum class Kind : uint8_t { none, tensor, sequence };
  Kind kind = Kind::none;
  Tensor tensor{};
  std::vector<Datum> items{};  ///< of a sequence
  DType item_dtype = DType::f32;  ///< of a sequence's tensors, for one that is empty

  Datum() = default;
  Datum(Tensor t) : kind(Kind::tensor), tensor(std::move(t)) {}  // NOLINT: a tensor is a datum
  static Datum sequence(DType item_dtype, std::vector<Datum> items) {
    Datum d;
    d.kind = Kind::sequence;
    d.items = std::move(items);
    d.item_dtype = item_dtype;
    return d;
  }
  bool is_tensor() const { return kind == Kind::tensor; }
  explicit operator bool() const { return kind != Kind::none; }
};

}  // namespace mainspring::inline v0
