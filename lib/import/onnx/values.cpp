// The files of single values (.pb): TensorProto, SequenceProto, OptionalProto ↔ Datum.
#include "import/onnx/onnx.h"
#include "import/onnx/tensors.h"

namespace mainspring::inline v0 {
namespace {

using namespace onnx;

constexpr int kMaxDepth = 8;
// SequenceProto.DataType and OptionalProto.DataType, alike.
constexpr int64_t kNothing = 0, kTensor = 1, kSequence = 3, kOptional = 5;

/// What stands in a field of SequenceProto or OptionalProto: both number them alike.
int64_t kind_in(uint32_t field) { return field == 3 || field == 5 || field == 7 ? field - 2 : kNothing; }

Result<Datum> read_part(Bytes message, int64_t kind, int depth, Allocator& allocator);

Result<Datum> read_tensor_value(Bytes message, Allocator& allocator) {
  MAINSPRING_TRY(const TensorProto proto, read_tensor(message));
  MAINSPRING_TRY(Tensor tensor, decode(proto, allocator));
  return Datum(std::move(tensor));
}

Result<Datum> read_sequence(Bytes message, int depth, Allocator& allocator) {
  std::vector<Datum> items;
  Wire w(message);
  while (w.next()) {
    if (w.type() != WireType::bytes) continue;
    const int64_t kind = kind_in(w.field());
    if (w.field() == 4 || w.field() == 6) return unsupported("SequenceProto: sparse tensors and maps are not read");
    if (kind == kNothing) continue;
    MAINSPRING_TRY(Datum item, read_part(w.bytes(), kind, depth + 1, allocator));
    items.push_back(std::move(item));
  }
  MAINSPRING_TRY_VOID(w.end("SequenceProto"));
  const DType dtype = !items.empty() && items[0].is_tensor() ? items[0].tensor.dtype() : DType::f32;
  return Datum::sequence(dtype, std::move(items));
}

// Without a value it is nothing.
Result<Datum> read_optional(Bytes message, int depth, Allocator& allocator) {
  Datum out;
  Wire w(message);
  while (w.next()) {
    if (w.type() != WireType::bytes) continue;
    const int64_t kind = kind_in(w.field());
    if (w.field() == 4 || w.field() == 6) return unsupported("OptionalProto: sparse tensors and maps are not read");
    if (kind != kNothing) {
      MAINSPRING_TRY(out, read_part(w.bytes(), kind, depth + 1, allocator));
    }
  }
  MAINSPRING_TRY_VOID(w.end("OptionalProto"));
  return out;
}

Result<Datum> read_part(Bytes message, int64_t kind, int depth, Allocator& allocator) {
  if (depth > kMaxDepth) return unsupported("values are nested more than {} deep", kMaxDepth);
  if (kind == kTensor) return read_tensor_value(message, allocator);
  return kind == kSequence ? read_sequence(message, depth, allocator) : read_optional(message, depth, allocator);
}

Result<void> write_part(const Datum& d, int depth, std::string& out);

int64_t kind_of(const Datum& d) { return d.kind == Datum::Kind::tensor ? kTensor : d.kind == Datum::Kind::sequence ? kSequence : kOptional; }

Result<void> write_field(uint32_t field, const Datum& d, int depth, std::string& out) {
  std::string part;
  MAINSPRING_TRY_VOID(write_part(d, depth + 1, part));
  put_bytes(field, part, out);
  return {};
}

Result<void> write_part(const Datum& d, int depth, std::string& out) {
  if (depth > kMaxDepth) return unsupported("values are nested more than {} deep", kMaxDepth);
  if (d.kind == Datum::Kind::none) return {};
  if (d.is_tensor()) return encode(d.tensor, out);
  const int64_t kind = d.items.empty() ? kTensor : kind_of(d.items[0]);
  put_number(2, static_cast<uint64_t>(kind), out);
  for (const Datum& item : d.items) {
    if (kind_of(item) != kind) return unsupported("a sequence of different kinds");
    MAINSPRING_TRY_VOID(write_field(static_cast<uint32_t>(kind) + 2, item, depth, out));
  }
  return {};
}

bool is_optional(Container c) { return c == Container::optional_tensor || c == Container::optional_sequence; }

}  // namespace

Result<Datum> read_onnx_value(std::span<const std::byte> bytes, Container container, Allocator& allocator) {
  const int64_t kind = is_optional(container) ? kOptional : container == Container::sequence ? kSequence : kTensor;
  return read_part(bytes, kind, 0, allocator);
}

Result<std::vector<std::byte>> write_onnx_value(const Datum& datum, Container container) {
  std::string out;
  if (!is_optional(container)) {
    const bool fits = container == Container::sequence ? datum.kind == Datum::Kind::sequence : datum.is_tensor();
    if (!fits) return invalid("the value is no {}", container == Container::sequence ? "sequence" : "tensor");
    MAINSPRING_TRY_VOID(write_part(datum, 0, out));
  } else {
    const bool sequence = datum ? datum.kind == Datum::Kind::sequence : container == Container::optional_sequence;
    put_number(2, static_cast<uint64_t>(sequence ? kSequence : kTensor), out);
    if (datum) MAINSPRING_TRY_VOID(write_field(sequence ? 5 : 3, datum, 0, out));
  }
  const auto* p = reinterpret_cast<const std::byte*>(out.data());
  return std::vector<std::byte>(p, p + out.size());
}

}  // namespace mainspring::inline v0
