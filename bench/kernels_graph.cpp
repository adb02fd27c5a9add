// Products and attention of graphs as their binders cut them, all tiles on one thread: shapes of small transformers (minilm, rxnmap, bert, a vision
// transformer), of a decoder's step and of a recogniser of text. Operands lie where a graph's do: weights packed, activations in the nearest caches.
#include <fmt/format.h>

#include <memory>
#include <vector>

#include "bench/kernels.h"
#include "core/buffer.h"
#include "cpu/binding.h"

namespace bench {
namespace {

using namespace mainspring;

struct Case {
  const char* name;
  const char* op;
  std::vector<Dims> in;
  std::vector<bool> weight;
  Attrs attrs;
  double macs;
};

/// A node bound to the CPU with everything that it needs.
class Bound {
 public:
  Bound(const Case& c, IsaSet isa) {
    const OpDef* op = find_op(c.op);
    std::vector<ValueInfo> infos(static_cast<size_t>(op->max_in));
    std::vector<Operand> in(infos.size());
    for (ValueInfo& v : infos) v.present = false;
    for (size_t i = 0; i < c.in.size(); ++i) {
      if (c.in[i].empty()) continue;
      infos[i].present = true;
      infos[i].dims = c.in[i];
      in[i] = place(c.in[i]);
      in[i].is_weight = c.weight[i];
    }
    auto out = op->infer(OpCall{infos, c.attrs});
    if (!out) return;
    std::vector<Operand> results{place((*out)[0].dims)};
    Node node;
    node.op = c.op;
    node.attrs = c.attrs;
    BindRequest request;
    request.node = &node;
    request.op = op;
    request.in = in;
    request.out = results;
    auto bound = cpu::binder_of(c.op)(request, isa);
    if (!bound) return;
    binding_ = *std::move(bound);
    std::vector<const std::byte*> packed;
    for (const Packing& p : binding_.packings) {
      std::byte* to = take(p.bytes);
      for (int64_t i = 0; i < p.pieces; ++i) p.pack(p.user.get(), reinterpret_cast<const std::byte*>(in[static_cast<size_t>(p.input)].ref.offset), i, to);
      packed.push_back(to);
    }
    env_.worker_scratch = take(binding_.worker_scratch_bytes);
    steps_ = binding_.finish(binding_, packed, Ref{Space::constant, reinterpret_cast<int64_t>(take(binding_.scratch_bytes))});
    ok_ = true;
  }
  bool ok() const { return ok_; }
  void run() {
    for (const Step& s : steps_)
      for (int64_t t = 0, n = s.tiles(s.params, env_); t < n; ++t) s.run(s.params, env_, t, 0);
  }

 private:
  std::byte* take(size_t bytes) {
    memory_.push_back(Buffer::create(system_allocator(), bytes + 64, "bench").value());
    return memory_.back().data();
  }
  Operand place(const Dims& dims) {
    Operand o;
    o.dims = dims;
    int64_t n = 1;
    for (const Dim& d : dims) n *= d.times;
    std::byte* at = take(static_cast<size_t>(n) * 4);
    fill({reinterpret_cast<float*>(at), static_cast<size_t>(n)}, static_cast<uint32_t>(memory_.size()));
    o.ref = {Space::constant, reinterpret_cast<int64_t>(at)};
    o.row_stride = dims.size() > 1 ? n / dims[0].times : 1;
    return o;
  }
  std::vector<Buffer> memory_;
  KernelBinding binding_;
  std::vector<Step> steps_;
  StepEnv env_;
  bool ok_ = false;
};

Case linear(const char* name, int64_t m, int64_t k, int64_t n, const char* act = "") {
  return {name, "matmul", {{m, k}, {k, n}, {n}}, {false, true, true}, {{"act", std::string(act)}}, static_cast<double>(m * k * n)};
}
Case product(const char* name, int64_t stack, int64_t m, int64_t k, int64_t n, bool trans_b) {
  return {name, "matmul", {{stack, m, k}, trans_b ? Dims{stack, n, k} : Dims{stack, k, n}}, {false, false}, {{"trans_b", trans_b ? 1 : 0}}, static_cast<double>(stack * m * k * n)};
}
Case attend(const char* name, int64_t heads, int64_t s, int64_t t, int64_t d, bool rows_first, bool mask, bool causal) {
  const Dims q = rows_first ? Dims{1, s, heads, d} : Dims{1, heads, s, d}, k = rows_first ? Dims{1, t, heads, d} : Dims{1, heads, t, d};
  return {name, "attend", {q, k, k, mask ? Dims{1, 1, 1, t} : Dims{}}, {false, false, false, false},
          {{"layout", std::string(rows_first ? "bshd" : "bhsd")}, {"causal", causal ? 1 : 0}}, 2.0 * static_cast<double>(heads * s * t * d)};
}

std::vector<Case> cases() {
  return {linear("row", 1, 384, 1536),
          linear("rows16", 16, 384, 1536),
          linear("rows64", 64, 384, 1536),
          linear("minilm.qkv", 128, 384, 384),
          linear("minilm.up", 128, 384, 1536, "gelu_erf"),
          linear("minilm.down", 128, 1536, 384),
          linear("rxnmap.up", 256, 256, 512, "gelu_erf"),
          linear("bert.up", 256, 768, 3072),
          linear("bert.down", 256, 3072, 768),
          linear("square1024", 512, 1024, 1024),
          linear("text.head", 40, 120, 6625),
          product("scores.minilm", 12, 128, 32, 128, true),
          product("values.minilm", 12, 128, 128, 32, false),
          product("decode.scores", 12, 1, 64, 1024, true),
          product("decode.values", 12, 1, 1024, 64, false),
          product("square256", 1, 256, 256, 256, false),
          attend("minilm", 12, 128, 128, 32, true, true, false),
          attend("minilm256", 12, 256, 256, 32, true, true, false),
          attend("bert512", 12, 512, 512, 64, true, true, false),
          attend("vit", 12, 197, 197, 64, false, false, false),
          attend("gpt1024", 12, 1024, 1024, 64, false, false, true),
          attend("decode", 12, 1, 1024, 64, false, false, false)};
}

}  // namespace

void register_graph() {
  for (const Isa isa : {Isa::avx512, Isa::avx2}) {
    if (!detect_isa().has(isa)) continue;
    for (const Case& c : cases()) {
      const std::string name = fmt::format("{}/{}/{}", c.op, name_of(isa), c.name);
      benchmark::RegisterBenchmark(name.c_str(), [c, isa](benchmark::State& state) {
        Bound bound(c, *cap(detect_isa(), name_of(isa)));
        if (!bound.ok()) return state.SkipWithError("no kernel");
        for (auto _ : state) {
          bound.run();
          benchmark::ClobberMemory();
        }
        report(state, isa, {0, 2 * c.macs, false});
      });
    }
  }
}

}  // namespace bench
