// Which qgemm a matrix gets: the table's first, or the fastest of its peers as the planner measured it. Panels of synthetic bytes stand for the
// weights (a kernel's time does not depend on them), so that nothing is packed to find out.
#include <algorithm>

#include "core/checked.h"
#include "core/error.h"
#include "cpu/bind/linear.h"
#include "quant/q8_rows.h"

namespace mainspring::inline v0::cpu {
namespace {

constexpr int kLoads = 2;                  // one row, many rows
constexpr int64_t kOutputs = 16;           // whole panels of every kernel
constexpr size_t kPanelBytes = 256 << 10;  // for one row: beyond the level 1 cache, within the level 2 cache
constexpr int64_t kManyRows = 64;
constexpr int64_t kRowsBytes = 192 << 10;  // as a tile has them (cut_of)
constexpr int64_t kManyMacs = 2 << 20;     // 10 to 40 µs
constexpr std::byte kFill{0x30};           // f16 0.13, f32 6e-10, e8m0 2^-79, int8 48: no product of them is denormal or infinite

struct Trial {
  std::vector<const QgemmKernel*> kernels;
  int64_t k = 0;
  int64_t rows[kLoads] = {1, 1}, outputs[kLoads] = {};
  size_t panel_bytes = 0, x_bytes = 0, y_bytes = 0, scratch_bytes = 0;

  size_t memory() const { return panel_bytes + x_bytes + y_bytes + scratch_bytes; }
};

Trial trial_of(std::vector<const QgemmKernel*> kernels, int64_t outputs, int64_t k) {
  Trial t;
  t.kernels = std::move(kernels);
  t.k = k;
  const auto row = static_cast<int64_t>(q8_rows_stride(k));
  const auto weight = static_cast<int64_t>(t.kernels[0]->panel_bytes(k)) / t.kernels[0]->width;
  const auto whole = [&](int64_t most) { return std::max<int64_t>(1, std::min(most, outputs + kOutputs - 1) / kOutputs) * kOutputs; };
  t.rows[1] = std::clamp(kRowsBytes / row, int64_t{8}, kManyRows);
  t.outputs[0] = whole(static_cast<int64_t>(kPanelBytes) / weight);
  t.outputs[1] = std::min(whole(kManyMacs / (t.rows[1] * k)), t.outputs[0]);
  for (const QgemmKernel* kernel : t.kernels) {
    t.panel_bytes = std::max(t.panel_bytes, round_up(static_cast<size_t>(kernel->panel_count(t.outputs[0])) * kernel->panel_bytes(k), 64));
    t.scratch_bytes = std::max(t.scratch_bytes, round_up(qgemm_scratch_bytes(kernel->width, k), 64));
  }
  t.x_bytes = round_up(static_cast<size_t>(t.rows[1] * row), 64);
  t.y_bytes = round_up(static_cast<size_t>(t.rows[1] * t.outputs[0]) * sizeof(float), 64);
  return t;
}

void run_trial(const void* user, int kernel, int load, std::byte* memory) {
  const Trial& t = *static_cast<const Trial*>(user);
  const QgemmKernel& q = *t.kernels[static_cast<size_t>(kernel)];
  std::byte *x = memory + t.panel_bytes, *y = x + t.x_bytes, *scratch = y + t.y_bytes;
  const int64_t outputs = t.outputs[load];
  q.run({.panels = memory, .x = x, .x_stride = static_cast<int64_t>(q8_rows_stride(t.k)), .y = reinterpret_cast<float*>(y), .y_stride = outputs, .bias = nullptr,
         .k = t.k, .rows = t.rows[load], .panels_count = q.panel_count(outputs), .outputs = outputs, .wide = false, .scratch = scratch});
}

/// "measured: avx512vnni 1.31x avxvnni with 1 row, 1.12x avxvnni with 64": against the best of the others at each.
std::string words_of(const Trial& t, const Choices::Choice& choice) {
  const auto name = [&](int i) { return name_of(t.kernels[static_cast<size_t>(i)]->isa); };
  std::string out = fmt::format("measured: {}", name(choice.kernel));
  for (int load = 0; load < kLoads; ++load) {
    const auto time = [&](int i) { return static_cast<double>(choice.ns[static_cast<size_t>(i * kLoads + load)]); };
    int other = choice.kernel == 0 ? 1 : 0;
    for (int i = other + 1; i < static_cast<int>(t.kernels.size()); ++i)
      if (i != choice.kernel && time(i) < time(other)) other = i;
    out += fmt::format("{} {:.2f}x {} with {}", load == 0 ? "" : ",", time(other) / time(choice.kernel), name(other), load == 0 ? "1 row" : fmt::to_string(t.rows[load]));
  }
  return out;
}

}  // namespace

const QgemmKernel* measured_qgemm(const QgemmKernel& first, int64_t outputs, int64_t k, IsaSet isa, Choices& choices, std::string* why) {
  std::vector<const QgemmKernel*> peers = qgemm_peers(first, k, isa);
  if (peers.size() < 2) return &first;
  const Trial t = trial_of(std::move(peers), outputs, k);
  Choices::Question question;
  question.key = fmt::format("qgemm {} k {} outputs {}", name_of(first.weight), k, t.outputs[0]);
  for (const QgemmKernel* kernel : t.kernels) question.key += fmt::format(" {}", name_of(kernel->isa));
  question.kernels = static_cast<int>(t.kernels.size());
  question.loads = kLoads;
  question.memory = t.memory();
  question.fill = kFill;
  question.run = run_trial;
  question.user = &t;
  const Choices::Choice choice = choices.choose(question);
  if (why != nullptr && !choice.ns.empty()) *why += (why->empty() ? "" : "; ") + words_of(t, choice);
  return t.kernels[static_cast<size_t>(choice.kernel)];
}

}  // namespace mainspring::inline v0::cpu
