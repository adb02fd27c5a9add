// TensorProto → Tensor and back. In: views of messages, the files that hold the elements. Out: tensors that view a mapped file where they can (raw data,
// aligned), else own their elements. What a tensor takes is bounded by the bytes that the file has for it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <unordered_map>

#include "core/file.h"
#include "import/onnx/proto.h"
#include "mainspring/tensor.h"

namespace mainspring::inline v0::onnx {

using OpenFile = std::function<Result<std::shared_ptr<ByteSource>>(const std::string& path)>;

/// The elements of a tensor whose data stand in its message, as a copy. Errors: corrupt_data, unsupported, out_of_memory.
Result<Tensor> decode(const TensorProto& t, Allocator& allocator);
/// Appends the tensor's TensorProto. Errors: unsupported (a dtype that ONNX has not).
Result<void> encode(const Tensor& tensor, std::string& out);

/// A varint, and a field of bytes with its number and length.
void put_varint(uint64_t v, std::string& out);
void put_bytes(uint32_t field, std::string_view bytes, std::string& out);
void put_number(uint32_t field, uint64_t v, std::string& out);

/// What a file may make of itself beyond its own size: dense forms of sparse tensors, bodies of functions unfolded again and again.
class Budget {
 public:
  explicit Budget(size_t file) : left_((uint64_t{64} << 20) + 16 * uint64_t{file}) {}
  /// Errors: unsupported when nothing is left.
  Result<void> take(uint64_t bytes) {
    if (bytes > left_) return unsupported("unfolds to far more than the file holds");
    left_ -= bytes;
    return {};
  }

 private:
  uint64_t left_;
};

/// A tensor of a model.
struct Loaded {
  Tensor tensor;
  int source = -1;  ///< the file that its bytes are a view of
};

class TensorLoader {
 public:
  /// `sources[0]` is the model; external data files are appended. All must outlive the loader.
  TensorLoader(std::vector<std::shared_ptr<ByteSource>>& sources, const OpenFile& open, std::string_view model_path, Allocator& allocator, Budget& budget)
      : sources_(sources), open_(open), model_path_(model_path), allocator_(allocator), budget_(budget) {}

  /// Errors: corrupt_data, unsupported, out_of_memory, and those of opening an external file.
  Result<Loaded> load(const TensorProto& t);
  Result<Loaded> load(const SparseTensorProto& t);
  /// A tensor of this allocator, for constants that the importer makes.
  Allocator& allocator() const { return allocator_; }

 private:
  Result<Loaded> load_external(const TensorProto& t);
  Result<int> source_of(std::string_view location);
  Result<Loaded> place(const TensorProto& t, Bytes data, int source);

  std::vector<std::shared_ptr<ByteSource>>& sources_;
  const OpenFile& open_;
  std::string_view model_path_;
  Allocator& allocator_;
  Budget& budget_;
  std::unordered_map<std::string_view, int> external_;
};

}  // namespace mainspring::inline v0::onnx
