// TensorProto, SequenceProto, OptionalProto: every element type, raw and typed, views and copies, there and back.
#include "ops/onnx_dtype.h"
#include "tests/import/onnx_rig.h"

namespace onnx_test {
namespace {

Result<Datum> parse(const Message& m, Container c = Container::tensor) { return read_onnx_value(bytes_of(m.data), c, system_allocator()); }

template <class T>
std::vector<T> list_of(const Tensor& t) {
  std::vector<T> out(t.bytes().size() / sizeof(T));
  if (!out.empty()) std::memcpy(out.data(), t.bytes().data(), t.bytes().size());
  return out;
}

template <class T>
void expect_elements(const Message& m, DType dtype, const std::vector<T>& want) {
  auto got = parse(m);
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_EQ(got->tensor.dtype(), dtype);
  EXPECT_EQ(list_of<T>(got->tensor), want) << name_of(dtype);
}

TEST(OnnxTensor, TypedFieldsOfEveryType) {
  const std::vector<float> f = {1.5f, -2};
  const std::vector<double> d = {0.25, -1};
  expect_elements(tensor("", kF32, {2}).fixed(4, std::span<const float>(f)), DType::f32, f);
  expect_elements(tensor("", kF32, {2}).f32(4, 1.5f).f32(4, -2), DType::f32, f);  // not packed
  expect_elements(tensor("", 11, {2}).fixed(10, std::span<const double>(d)), DType::f64, d);
  expect_elements(tensor("", 14, {1}).fixed(4, std::span<const float>(f)), DType::c64, f);
  expect_elements(tensor("", 15, {1}).fixed(10, std::span<const double>(d)), DType::c128, d);
  expect_elements(tensor("", kI64, {2}).packed(7, Ints{-5, INT64_MAX}), DType::i64, Ints{-5, INT64_MAX});
  expect_elements(tensor("", kI32, {2}).number(5, -5).number(5, 7), DType::i32, std::vector<int32_t>{-5, 7});
  expect_elements(tensor("", 5, {1}).packed(5, Ints{-300}), DType::i16, std::vector<int16_t>{-300});
  expect_elements(tensor("", kI8, {2}).packed(5, Ints{-3, 100}), DType::i8, std::vector<int8_t>{-3, 100});
  expect_elements(tensor("", 4, {1}).packed(5, Ints{65535}), DType::u16, std::vector<uint16_t>{65535});
  expect_elements(tensor("", kU8, {1}).packed(5, Ints{200}), DType::u8, std::vector<uint8_t>{200});
  expect_elements(tensor("", 12, {1}).packed(11, Ints{0xffffffff}), DType::u32, std::vector<uint32_t>{0xffffffff});
  expect_elements(tensor("", 13, {1}).packed(11, Ints{-1}), DType::u64, std::vector<uint64_t>{UINT64_MAX});
  expect_elements(tensor("", kBool, {3}).packed(5, Ints{1, 0, 2}), DType::boolean, std::vector<uint8_t>{1, 0, 1});
  expect_elements(tensor("", kF16, {1}).packed(5, Ints{0x3c00}), DType::f16, std::vector<uint16_t>{0x3c00});
  expect_elements(tensor("", 16, {1}).packed(5, Ints{0x3f80}), DType::bf16, std::vector<uint16_t>{0x3f80});
  for (const int64_t f8 : {17, 18, 19, 20, 24}) expect_elements(tensor("", f8, {1}).packed(5, Ints{0x81}), *dtype_of_onnx(f8), std::vector<uint8_t>{0x81});
  expect_elements(tensor("", kI4, {3}).packed(5, Ints{0x8f, 0x07}), DType::i4, std::vector<int8_t>{-1, -8, 7});
  expect_elements(tensor("", kU4, {3}).packed(5, Ints{0x8f, 0x07}), DType::u4, std::vector<uint8_t>{15, 8, 7});
  expect_elements(tensor("", 23, {2}).packed(5, Ints{0xa3}), DType::f4e2m1, std::vector<uint8_t>{3, 10});
  expect_elements(tensor("", kI2, {5}).packed(5, Ints{0b11'10'01'00, 0b01}), DType::i2, std::vector<int8_t>{0, 1, -2, -1, 1});
  expect_elements(tensor("", kU2, {4}).packed(5, Ints{0b11'10'01'00}), DType::u2, std::vector<uint8_t>{0, 1, 2, 3});
}

TEST(OnnxTensor, Strings) {
  auto got = parse(tensor("", kString, {1, 2}).text(6, "a").text(6, std::string_view("b\0c", 3)));
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_EQ(list_of<std::string_view>(got->tensor), (std::vector<std::string_view>{"a", std::string_view("b\0c", 3)}));
}

TEST(OnnxTensor, RawDataPacksNarrowElements) {
  expect_elements(tensor("", kI4, {3}).text(9, "\x8f\x07"), DType::i4, std::vector<int8_t>{-1, -8, 7});
  expect_elements(tensor("", kU2, {5}).text(9, "\xe4\x01"), DType::u2, std::vector<uint8_t>{0, 1, 2, 3, 1});
  expect_elements(tensor("", kBool, {2}).text(9, "\x07\x01"), DType::boolean, std::vector<uint8_t>{1, 1});
}

TEST(OnnxTensor, EveryTypeThereAndBack) {
  for (int64_t number = 1; number <= 26; ++number) {
    const DType dtype = *dtype_of_onnx(number);
    EXPECT_EQ(onnx_of_dtype(dtype), number);
    if (dtype == DType::string) continue;
    auto t = Tensor::make(system_allocator(), dtype, {3});
    ASSERT_TRUE(t);
    const bool narrow = dtype == DType::u4 || dtype == DType::f4e2m1 || dtype == DType::u2, is_signed = dtype == DType::i4 || dtype == DType::i2;
    for (size_t i = 0; i < t->bytes().size(); ++i) {
      const size_t any = is_signed ? (i % 2 ? 0xff : 1) : narrow ? i : dtype == DType::boolean ? i % 2 : 37 * i + 5;
      t->data()[i] = static_cast<std::byte>(any);
    }
    auto bytes = write_onnx_value(*t, Container::tensor);
    ASSERT_TRUE(bytes) << bytes.error().message;
    auto back = read_onnx_value(*bytes, Container::tensor, system_allocator());
    ASSERT_TRUE(back) << name_of(dtype) << ": " << back.error().message;
    EXPECT_EQ(back->tensor.dtype(), dtype);
    EXPECT_EQ(back->tensor.shape(), t->shape());
    EXPECT_EQ(list_of<uint8_t>(back->tensor), list_of<uint8_t>(*t)) << name_of(dtype);
  }
  auto block = Tensor::make(system_allocator(), DType::q8_0, {32});
  EXPECT_EQ(write_onnx_value(*block, Container::tensor).error().code, Errc::unsupported);
}

TEST(OnnxTensor, SequencesAndOptionalsThereAndBack) {
  const float f[] = {1, 2};
  const std::string_view s[] = {"x", ""};
  const Tensor floats = *Tensor::copy<float>(f, {2}), strings = *Tensor::copy_strings(system_allocator(), s, {2});
  const auto again = [](const Datum& d, Container c) {
    auto bytes = write_onnx_value(d, c);
    EXPECT_TRUE(bytes);
    auto back = read_onnx_value(*bytes, c, system_allocator());
    EXPECT_TRUE(back) << back.error().message;
    return *std::move(back);
  };
  const Datum list = again(Datum::sequence(DType::string, {strings, strings}), Container::sequence);
  ASSERT_EQ(list.items.size(), 2u);
  EXPECT_EQ(list.item_dtype, DType::string);
  EXPECT_EQ(list_of<std::string_view>(list.items[1].tensor), (std::vector<std::string_view>{"x", ""}));
  EXPECT_TRUE(again(Datum::sequence(DType::f32, {}), Container::sequence).items.empty());
  const Datum nested = again(Datum::sequence(DType::f32, {Datum::sequence(DType::f32, {floats})}), Container::sequence);
  ASSERT_EQ(nested.items.size(), 1u);
  EXPECT_EQ(nested.items[0].items.size(), 1u);
  EXPECT_EQ(again(Datum(), Container::optional_tensor).kind, Datum::Kind::none);
  EXPECT_EQ(list_of<float>(again(floats, Container::optional_tensor).tensor), (std::vector<float>{1, 2}));
  EXPECT_EQ(again(Datum::sequence(DType::f32, {floats}), Container::optional_sequence).items.size(), 1u);
  EXPECT_EQ(write_onnx_value(floats, Container::sequence).error().code, Errc::invalid_argument);
}

TEST(OnnxTensor, DataMustBeWhatTheShapeSays) {
  const auto code = [](const Message& m) {
    auto got = parse(m);
    EXPECT_FALSE(got);
    return got ? Errc::internal : got.error().code;
  };
  const Ints three = {1, 2, 3};
  EXPECT_EQ(code(raw_tensor<float>("", kF32, {3}, {1, 2})), Errc::corrupt_data);
  EXPECT_EQ(code(raw_tensor<float>("", kF32, {1}, {1, 2})), Errc::corrupt_data);
  EXPECT_EQ(code(tensor("", kI64, {4}).packed(7, three)), Errc::corrupt_data);
  EXPECT_EQ(code(tensor("", kI64, {2}).packed(7, three)), Errc::corrupt_data);
  EXPECT_EQ(code(tensor("", kI64, {3})), Errc::corrupt_data);
  EXPECT_EQ(code(tensor("", kI64, {-1}).packed(7, three)), Errc::corrupt_data);
  EXPECT_EQ(code(tensor("", kF32, {INT64_MAX, 4})), Errc::corrupt_data);
  EXPECT_EQ(code(tensor("", kF32, {int64_t{1} << 60})), Errc::corrupt_data);
  EXPECT_EQ(code(tensor("", kU8, {int64_t{1} << 40}).packed(5, three)), Errc::corrupt_data);  // before memory is asked for
  EXPECT_EQ(code(tensor("", kU4, {9}).packed(5, three)), Errc::corrupt_data);
  EXPECT_EQ(code(tensor("", kString, {2}).text(6, "a")), Errc::corrupt_data);
  EXPECT_EQ(code(tensor("", kString, {1}).text(9, "a")), Errc::corrupt_data);
  EXPECT_EQ(code(tensor("", 27, {1}).text(9, "a")), Errc::unsupported);
  EXPECT_EQ(code(tensor("", kF32, {1, 1, 1, 1, 1, 1, 1, 1, 1}).f32(4, 1)), Errc::unsupported);
  EXPECT_EQ(code(tensor("", kF32, {1}).text(4, "abc")), Errc::corrupt_data);
}

TEST(OnnxTensor, AlignedRawDataAreViewsOthersAreCopied) {
  // The length of a name that stands before brings the data to a multiple of four in memory, or not.
  int views = 0, copies = 0;
  for (size_t pad = 1; pad <= 8; ++pad) {
    const std::string bytes = model(chain({same({"x", "w"}, {"y"}, std::string(pad, 'n'))}, {raw_tensor<float>("w", kF32, {2}, {1, 2})}));
    auto file = read(bytes, kOwn);
    ASSERT_TRUE(file) << file.error().message;
    const Value& w = *value(file->graph, "w");
    EXPECT_EQ(reinterpret_cast<uintptr_t>(w.bytes.data()) % 4, 0u);
    EXPECT_EQ(elements<float>(w), (std::vector<float>{1, 2}));
    const bool inside = w.bytes.data() >= bytes_of(bytes).data() && w.bytes.data() < bytes_of(bytes).data() + bytes.size();
    EXPECT_EQ(w.source, inside ? 0 : -1);
    ++(inside ? views : copies);
  }
  EXPECT_GT(views, 0);
  EXPECT_GT(copies, 0);
}

TEST(OnnxTensor, SparseTensorsAreBounded) {
  const auto sparse = [](const Ints& dims, const Message& indices) {
    Message s = Message().add(1, raw_tensor<float>("w", kF32, {2}, {3, 9})).add(2, indices);
    for (const int64_t d : dims) s.number(3, d);
    Graph g = chain({same({"x", "w"}, {"y"})});
    Message m = g.message().add(15, s);
    return Message().number(1, 10).add(7, m).add(8, Message().number(2, 28)).data;
  };
  auto file = read(sparse({2, 3}, raw_tensor<int64_t>("", kI64, {2, 2}, {0, 1, 1, 2})), kOwn);
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(elements<float>(*value(file->graph, "w")), (std::vector<float>{0, 3, 0, 0, 0, 9}));
  EXPECT_EQ(refused(sparse({int64_t{1} << 32}, ints_tensor("", {0, 1})), kOwn).code, Errc::unsupported);
  EXPECT_EQ(refused(sparse({2, 3}, ints_tensor("", {0, 6})), kOwn).code, Errc::corrupt_data);
  EXPECT_EQ(refused(sparse({2, 3}, ints_tensor("", {-1, 0})), kOwn).code, Errc::corrupt_data);
  EXPECT_EQ(refused(sparse({2, 3}, ints_tensor("", {0})), kOwn).code, Errc::corrupt_data);
  EXPECT_EQ(refused(sparse({2, 3}, raw_tensor<int64_t>("", kI64, {2, 2}, {0, 1, 2, 0})), kOwn).code, Errc::corrupt_data);
}

}  // namespace
}  // namespace onnx_test
