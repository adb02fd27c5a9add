#include "ops/onnx_dtype.h"

#include <iterator>

namespace mainspring::inline v0 {
namespace {

// By number, from 1.
constexpr DType kTypes[] = {DType::f32,     DType::u8,     DType::i8,      DType::u16,        DType::i16,    DType::i32,        DType::i64, DType::string, DType::boolean,
                            DType::f16,     DType::f64,    DType::u32,     DType::u64,        DType::c64,    DType::c128,       DType::bf16, DType::f8e4m3fn,
                            DType::f8e4m3fnuz, DType::f8e5m2, DType::f8e5m2fnuz, DType::u4,   DType::i4,     DType::f4e2m1,     DType::f8e8m0, DType::u2,    DType::i2};

}  // namespace

std::optional<DType> dtype_of_onnx(int64_t number) {
  if (number < 1 || number > static_cast<int64_t>(std::size(kTypes))) return std::nullopt;
  return kTypes[number - 1];
}

int64_t onnx_of_dtype(DType dtype) {
  for (size_t i = 0; i < std::size(kTypes); ++i)
    if (kTypes[i] == dtype) return static_cast<int64_t>(i) + 1;
  return 0;
}

}  // namespace mainspring::inline v0
