// NonMaxSuppression (boxes f32 [batch, n, 4], scores f32 [batch, classes, n], most i64?, iou f32?, score f32?) center_point_box = 0
// -> i64 [kept, 3]: batch, class, box. Of each class the boxes with a score above `score`, best first (of equal ones the first), are kept unless they
// overlap one kept before by more than `iou`; at most `most` (absent: none). Boxes: two corners (y, x, y, x), or centre and size (x, y, w, h).
#include "ops/data/data.h"

namespace mainspring::inline v0 {
namespace {

constexpr const char* kName = "NonMaxSuppression";

Result<std::vector<ValueInfo>> infer(const OpCall& c) {
  MAINSPRING_TRY(const ValueInfo* boxes, need_dtype(kName, c, 0, "boxes", DType::f32));
  MAINSPRING_TRY(const ValueInfo* scores, need_dtype(kName, c, 1, "scores", DType::f32));
  MAINSPRING_TRY_VOID(want_rank(kName, *boxes, "boxes", 3, 3));
  MAINSPRING_TRY_VOID(want_rank(kName, *scores, "scores", 3, 3));
  if (boxes->ranked) MAINSPRING_TRY_VOID(same_dim(kName, "a box", boxes->dims[2], 4));
  if (boxes->ranked && scores->ranked) {
    MAINSPRING_TRY_VOID(same_dim(kName, "the batch", boxes->dims[0], scores->dims[0]));
    MAINSPRING_TRY_VOID(same_dim(kName, "the number of boxes", boxes->dims[1], scores->dims[2]));
  }
  if (has(c, 2)) MAINSPRING_TRY_VOID(need_ints(kName, c, 2, "max_output_boxes_per_class"));
  if (has(c, 3)) MAINSPRING_TRY_VOID(need_dtype(kName, c, 3, "iou_threshold", DType::f32));
  if (has(c, 4)) MAINSPRING_TRY_VOID(need_dtype(kName, c, 4, "score_threshold", DType::f32));
  return one(tensor_of(DType::i64, {Dim::unknown(), 3}));
}

struct Box {
  float x0, y0, x1, y1;
  float area() const { return (x1 - x0) * (y1 - y0); }
};

Box box_at(const float* b, bool centre) {
  if (centre) return {b[0] - b[2] / 2, b[1] - b[3] / 2, b[0] + b[2] / 2, b[1] + b[3] / 2};
  return {std::min(b[1], b[3]), std::min(b[0], b[2]), std::max(b[1], b[3]), std::max(b[0], b[2])};
}

bool overlap(const Box& a, const Box& b, float most) {
  const float w = std::min(a.x1, b.x1) - std::max(a.x0, b.x0), h = std::min(a.y1, b.y1) - std::max(a.y0, b.y0);
  if (!(w > 0 && h > 0)) return false;
  const float both = w * h, either = a.area() + b.area() - both;
  return a.area() > 0 && b.area() > 0 && either > 0 && both / either > most;
}

/// Of an optional operand: its one element, or `otherwise`.
float number(const DynamicCall& c, size_t i, float otherwise) {
  return i < c.in.size() && c.in[i].is_tensor() && c.in[i].tensor.elements() > 0 ? c.in[i].tensor.span<float>()[0] : otherwise;
}

Result<void> suppress(DynamicCall& c) {
  const Tensor &boxes = c.in[0].tensor, &scores = c.in[1].tensor;
  const int64_t batch = scores.shape()[0], classes = scores.shape()[1], n = scores.shape()[2];
  const bool centre = c.attrs.i("center_point_box") != 0, floor = c.in.size() > 4 && c.in[4];
  const float iou = number(c, 3, 0), least = number(c, 4, 0);
  int64_t most = 0;
  if (c.in.size() > 2 && c.in[2]) { MAINSPRING_TRY(most, one_int(kName, c.in[2], "max_output_boxes_per_class")); }
  most = std::clamp<int64_t>(most, 0, n);
  MAINSPRING_TRY(Tensor order_of, c.make(DType::i64, {n}));
  MAINSPRING_TRY(Tensor kept_of, c.make(DType::i64, {batch, classes, most}));
  MAINSPRING_TRY(Tensor counts_of, c.make(DType::i64, {batch, classes}));
  int64_t all = 0;
  for (int64_t group = 0; group < batch * classes; ++group) {
    const float* score = scores.span<float>().data() + group * n;
    const float* box = boxes.span<float>().data() + group / classes * n * 4;
    int64_t *order = order_of.span<int64_t>().data(), *kept = kept_of.span<int64_t>().data() + group * most, candidates = 0, count = 0;
    for (int64_t i = 0; i < n; ++i)
      if (!floor || score[i] > least) order[candidates++] = i;
    const TensorView ranks = view_of(scores);
    std::sort(order, order + candidates, [&](int64_t i, int64_t j) {
      const int64_t a = sort_key(ranks, group * n + i), b = sort_key(ranks, group * n + j);
      return a != b ? a > b : i < j;
    });
    for (int64_t i = 0; i < candidates && count < most; ++i) {
      if (i % 256 == 0) MAINSPRING_TRY_VOID(c.go_on());
      const Box candidate = box_at(box + order[i] * 4, centre);
      bool alone = true;
      for (int64_t k = 0; k < count && alone; ++k) alone = !overlap(candidate, box_at(box + kept[k] * 4, centre), iou);
      if (alone) kept[count++] = order[i];
    }
    counts_of.span<int64_t>()[static_cast<size_t>(group)] = count;
    all += count;
  }
  MAINSPRING_TRY(Tensor y, c.make(DType::i64, {all, 3}));
  int64_t* to = y.span<int64_t>().data();
  for (int64_t group = 0; group < batch * classes; ++group)
    for (int64_t k = 0; k < counts_of.span<int64_t>()[static_cast<size_t>(group)]; ++k) {
      *to++ = group / classes;
      *to++ = group % classes;
      *to++ = kept_of.span<int64_t>()[static_cast<size_t>(group * most + k)];
    }
  c.out[0] = std::move(y);
  return {};
}

}  // namespace

constinit const OpDef op_NonMaxSuppression{.name = "NonMaxSuppression", .min_in = 2, .max_in = 5, .n_out = 1, .infer = infer, .dynamic = suppress};

}  // namespace mainspring::inline v0
