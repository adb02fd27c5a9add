// Tensors in files: NumPy's .npy (version 1 to 3), and ONNX's TensorProto, SequenceProto and OptionalProto (.pb). Bytes in, bytes out: the host opens the files.
// Thread-safe: plain functions.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "mainspring/export.h"
#include "mainspring/model.h"
#include "mainspring/result.h"
#include "mainspring/tensor.h"

namespace mainspring::inline v0 {

/// A tensor of its own from the bytes of a .npy file: numbers, bool, complex, and fixed-width strings; both orders of axes, little-endian.
/// Errors: corrupt_data, unsupported (the element type), out_of_memory.
MAINSPRING_API Result<Tensor> read_npy(std::span<const std::byte> file);
/// The bytes of a .npy file. What NumPy has no type for is written as the number it stands for: bf16 and narrower floats as f32, i4, u4, i2, u2 as i8 and u8.
/// Errors: unsupported (a block format).
MAINSPRING_API Result<std::vector<std::byte>> write_npy(const Tensor& tensor);
/// What a port of a graph takes (tensor, sequence, optional), from the bytes of the message that ONNX has for it. Errors: corrupt_data, unsupported, out_of_memory.
MAINSPRING_API Result<Datum> read_pb(std::span<const std::byte> file, const PortInfo& port);
/// The same message for a value. Errors: unsupported.
MAINSPRING_API Result<std::vector<std::byte>> write_pb(const Datum& value, const PortInfo& port);

}  // namespace mainspring::inline v0
