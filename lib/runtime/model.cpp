#include "mainspring/model.h"

#include "core/context_impl.h"
#include "core/error.h"
#include "core/file.h"
#include "runtime/model_impl.h"

namespace mainspring::inline v0 {

#define MAINSPRING_PROVIDER(function) Result<std::unique_ptr<Provider>> function(const Context&);
#include "runtime/providers.inc"
#undef MAINSPRING_PROVIDER

Result<std::unique_ptr<Provider>> make_default_provider(const Context& context) {
  using Make = Result<std::unique_ptr<Provider>> (*)(const Context&);
  constexpr Make makers[] = {
#define MAINSPRING_PROVIDER(function) function,
#include "runtime/providers.inc"
#undef MAINSPRING_PROVIDER
  };
  Error last{Errc::unsupported, "no provider in this build"};
  for (Make make : makers) {
    auto provider = make(context);
    if (provider) return provider;
    last = std::move(provider).error();
  }
  return last;
}

namespace {

/// A language model cannot run without its vocabulary matrix; everything else is the architecture's business.
Result<void> build(Model::Impl& m) {
  std::vector<WeightTensor> tensors;
  std::vector<std::string_view> names;
  tensors.reserve(m.file.tensors.size());
  for (const GgufTensor& t : m.file.tensors) {
    tensors.push_back({t.name, t.dtype, t.shape, t.bytes, t.source});
    names.push_back(t.name);
  }
  const FindWeight find = [&](std::string_view name) -> const WeightTensor* {
    const GgufTensor* t = m.file.find(name);
    return t == nullptr ? nullptr : &tensors[static_cast<size_t>(t - m.file.tensors.data())];
  };
  auto graph = build_graph(m.file.metadata, find, names, &m.facts);
  if (!graph) return std::move(graph).error();
  m.graph = *std::move(graph);
  return m.graph.verify();
}

PortInfo port_of(const Graph& graph, ValueId id) {
  const Value& v = graph.values[static_cast<size_t>(id)];
  PortInfo p{v.name, v.dtype, v.container == Container::sequence || v.container == Container::optional_sequence,
             v.container == Container::optional_tensor || v.container == Container::optional_sequence, v.ranked, {}, {}};
  for (const Dim& d : v.dims) {
    p.extents.push_back(d.is_constant() ? d.times : -1);
    p.dims.push_back(d.is_constant() ? fmt::format("{}", d.times) : d.is_known() ? graph.symbols[static_cast<size_t>(d.symbol)].name : "?");
  }
  return p;
}

Result<Model> open_onnx(std::shared_ptr<Model::Impl> impl, std::shared_ptr<ByteSource> source, const ModelOptions& options) {
  const Context& context = impl->context;
  auto file = read_onnx(std::move(source), [&](const std::string& path) { return ByteSource::open(context, path); }, impl->path, options.ops, context.impl()->allocator());
  if (!file) return within(impl->path, std::move(file).error());
  impl->onnx = std::make_unique<OnnxFile>(*std::move(file));
  impl->graph = std::move(impl->onnx->graph);
  for (const ValueId v : impl->graph.inputs) impl->inputs.push_back(port_of(impl->graph, v));
  for (const ValueId v : impl->graph.outputs) impl->outputs.push_back(port_of(impl->graph, v));
  for (const Value& v : impl->graph.values) {
    if (v.kind != Kind::weight) continue;
    Shape shape;
    for (const Dim& d : v.dims) shape.push_back(d.times);
    impl->weights.push_back({v.name, v.dtype, shape, v.bytes.size()});
  }
  MAINSPRING_TRY(impl->provider, make_default_provider(context));
  return Model(std::shared_ptr<const Model::Impl>(std::move(impl)));
}

Result<Model> open_source(std::shared_ptr<ByteSource> source, const Context& context, const ModelOptions& options) {
  MAINSPRING_TRY_VOID(context.impl()->checked());
  auto impl = std::make_shared<Model::Impl>(context);
  impl->path = source->path();
  impl->vocabulary_only = options.vocabulary_only;
  if (!looks_like_gguf(source->bytes())) {
    if (!looks_like_onnx(source->bytes())) return unsupported("{}: begins like no format of this build, expected a GGUF or ONNX file", impl->path);
    return open_onnx(std::move(impl), std::move(source), options);
  }
  auto file = read_gguf(std::move(source), [&](const std::string& path) { return ByteSource::open(context, path); });
  if (!file) return within(impl->path, std::move(file).error());
  impl->file = *std::move(file);
  for (const GgufTensor& t : impl->file.tensors) impl->weights.push_back({t.name, t.dtype, t.shape, t.bytes.size()});
  if (!options.vocabulary_only) {
    auto built = build(*impl);
    if (!built) return within(impl->path, std::move(built).error());
  } else if (const MetaValue* tokens = impl->file.metadata.find("tokenizer.ggml.tokens")) {
    impl->facts.vocabulary = static_cast<int64_t>(tokens->count);
  }
  MAINSPRING_TRY(impl->provider, make_default_provider(context));
  if (!options.vocabulary_only) impl->panels.cache = PlanCache::open(context, impl->file.sources, impl->provider->info());
  return Model(std::shared_ptr<const Model::Impl>(std::move(impl)));
}

}  // namespace

Result<Model> Model::open(std::string_view path, const ModelOptions& options) {
  const Context context = options.context != nullptr ? *options.context : Context();
  MAINSPRING_TRY(auto source, ByteSource::open(context, path));
  return open_source(std::move(source), context, options);
}

Result<Model> Model::open(std::span<const std::byte> bytes, const ModelOptions& options) {
  const Context context = options.context != nullptr ? *options.context : Context();
  if (bytes.empty()) return corrupt("memory: the file is empty");
  return open_source(ByteSource::borrow(bytes), context, options);
}

const Metadata& Model::metadata() const& { return impl_->metadata(); }
std::span<const PortInfo> Model::inputs() const& { return impl_->inputs; }
std::span<const PortInfo> Model::outputs() const& { return impl_->outputs; }
bool Model::is_graph() const { return impl_->onnx != nullptr; }
std::string_view Model::architecture() const& {
  const MetaValue* v = impl_->file.metadata.find("general.architecture");
  return v == nullptr ? std::string_view() : v->as_string().value_or("");
}
int64_t Model::vocabulary_size() const { return impl_->facts.vocabulary; }
int64_t Model::context_length() const { return impl_->facts.context_length; }
bool Model::is_recurrent() const { return impl_->facts.recurrent; }
std::span<const WeightInfo> Model::weights() const& { return impl_->weights; }
const Graph& Model::graph() const& { return impl_->graph; }
const Context& Model::context() const& { return impl_->context; }

}  // namespace mainspring::inline v0
