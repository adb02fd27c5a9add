// An operator of the host's own: node "Clamp" of the domain "example" in an ONNX file, y = x between 0 and the attribute `ceiling`.
#include <algorithm>
#include <cstdio>
#include <vector>

#include <mainspring/ext/op.h>
#include <mainspring/mainspring.h>

namespace ms = mainspring;

namespace {

// The shape rule is asked when the file is opened, when extents may be names, and again for each new set of extents.
ms::Result<std::vector<ms::ValueInfo>> infer(const ms::OpCall& call) {
  ms::ValueInfo y = call.in[0];
  if (!y.present || y.dtype != ms::DType::f32) return ms::Error{ms::Errc::invalid_argument, "example.Clamp: x is absent or not f32, expected f32"};
  y.value = nullptr;  // the extents are those of x, the content is not
  return std::vector<ms::ValueInfo>{y};
}

void reference(const ms::OpArgs& args) {
  const float* x = args.in[0].as<float>();
  const auto ceiling = static_cast<float>(args.attrs.f("ceiling", 6));
  for (int64_t i = 0; i < args.out[0].shape.elements(); ++i) args.out[0].as<float>()[i] = std::clamp(x[i], 0.0f, ceiling);
}

constexpr ms::OpDef kClamp{.name = "example.Clamp", .min_in = 1, .max_in = 1, .n_out = 1, .infer = infer, .reference = reference};
constexpr const ms::OpDef* kOps[] = {&kClamp};

ms::Result<void> run(const char* file) {
  MAINSPRING_TRY(const ms::Model model, ms::Model::open(file, {.ops = kOps}));
  MAINSPRING_TRY(ms::Session session, ms::Session::create(model));
  std::vector<float> numbers = {-1, 2, 3, 40};
  MAINSPRING_TRY(const ms::Tensor x, ms::Tensor::borrow(std::span(numbers), {4}));
  MAINSPRING_TRY(const ms::RunResult result, session.run({{"x", x}}));
  const ms::Tensor y = result["y"];
  for (const float v : y.span<float>()) std::printf("%g ", static_cast<double>(v));
  return std::puts("") < 0 ? ms::Result<void>(ms::Error{ms::Errc::io_error, "stdout"}) : ms::Result<void>();
}

}  // namespace

int main(int argc, char** argv) {
  const auto ran = run(argc > 1 ? argv[1] : "custom_op.onnx");
  if (!ran) std::fprintf(stderr, "%s\n", ran.error().message.c_str());
  return ran ? 0 : 1;
}
