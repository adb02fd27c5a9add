// The numbers that ONNX gives to element types (TensorProto.DataType): what attributes like `to` of Cast or `dtype` of RandomNormal hold.
#pragma once

#include <cstdint>
#include <optional>

#include "mainspring/types.h"

namespace mainspring::inline v0 {

/// Empty for 0 (undefined) and for numbers that ONNX has not given.
std::optional<DType> dtype_of_onnx(int64_t number);
/// The number of a dtype; 0 for those that ONNX doesn't know (block formats).
int64_t onnx_of_dtype(DType dtype);

}  // namespace mainspring::inline v0
