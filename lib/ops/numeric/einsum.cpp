// Einsum (operands…)   attr equation: "ij,jk->ik", "...ij->...ji", "ii"; without "->" the labels that occur once, in their order, behind those of "...".
// y[output labels] = Σ over the other labels of the product of the operands' elements; a label that an operand repeats runs along its diagonal.
#include <array>

#include "ops/numeric/runs.h"
#include "ops/op.h"

namespace mainspring::inline v0 {
namespace {

/// A to Z, a to z (their order in ASCII), then the axes of "...", counted from the right.
constexpr int kLetters = 52, kLabels = kLetters + Shape::kMaxRank;
using Term = std::vector<int>;  // labels of axes

struct Equation {
  std::vector<Term> terms;
  Term out;
  bool ranked = true;  ///< false: an operand of unknown rank stands behind "..."
};

int letter(char c) { return c >= 'A' && c <= 'Z' ? c - 'A' : c >= 'a' && c <= 'z' ? c - 'a' + 26 : -1; }

/// One term. `rank` is the operand's, -1 where it is not known; in the output "..." stands for `dots` axes. Errors: invalid_argument.
Result<Term> parse_term(std::string_view text, int rank, int dots, bool& has_dots) {
  Term term;
  size_t at_dots = 0;
  has_dots = false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == ' ') continue;
    if (const int label = letter(text[i]); label >= 0) {
      term.push_back(label);
    } else if (text.substr(i).starts_with("...") && !has_dots) {
      has_dots = true;
      at_dots = term.size();
      i += 2;
    } else {
      return invalid("Einsum: '{}' in the term '{}', expected letters and one '...'", text[i], text);
    }
  }
  if (rank >= 0) dots = rank - static_cast<int>(term.size());
  if (rank >= 0 && (has_dots ? dots < 0 : dots != 0)) return invalid("Einsum: the term '{}' has {} labels, its operand rank {}", text, term.size(), rank);
  if (dots > Shape::kMaxRank) return invalid("Einsum: '...' stands for {} axes, expected at most {}", dots, Shape::kMaxRank);
  for (int d = 0; has_dots && d < dots; ++d) term.insert(term.begin() + static_cast<std::ptrdiff_t>(at_dots), kLetters + d);
  return term;
}

Result<Equation> parse(std::string_view text, std::span<const int> ranks) {
  Equation e;
  const auto arrow = text.find("->");
  std::string_view left = text.substr(0, arrow);
  int dots = 0;
  std::array<int, kLabels> seen{};
  for (size_t i = 0;; ++i) {
    const auto comma = left.find(',');
    if (i >= ranks.size()) return invalid("Einsum: '{}' has more terms than the {} operands", text, ranks.size());
    bool has_dots;
    MAINSPRING_TRY(Term term, parse_term(left.substr(0, comma), ranks[i], 0, has_dots));
    if (has_dots && ranks[i] < 0) e.ranked = false;
    for (const int label : term) {
      ++seen[static_cast<size_t>(label)];
      dots = std::max(dots, label - kLetters + 1);
    }
    e.terms.push_back(std::move(term));
    if (comma == left.npos) break;
    left.remove_prefix(comma + 1);
  }
  if (e.terms.size() != ranks.size()) return invalid("Einsum: '{}' has {} terms for {} operands", text, e.terms.size(), ranks.size());
  if (arrow != text.npos) {
    bool has_dots;
    MAINSPRING_TRY(e.out, parse_term(text.substr(arrow + 2), -1, dots, has_dots));
    if (!has_dots) e.ranked = true;
    std::array<int, kLabels> used{};
    for (const int label : e.out) {
      if (seen[static_cast<size_t>(label)] == 0 && label < kLetters) return invalid("Einsum: a label of the output of '{}' is in no operand", text);
      if (++used[static_cast<size_t>(label)] > 1) return invalid("Einsum: the output of '{}' repeats a label", text);
    }
  } else {
    for (int d = dots; d-- > 0;) e.out.push_back(kLetters + d);
    for (int label = 0; label < kLetters; ++label)
      if (seen[static_cast<size_t>(label)] == 1) e.out.push_back(label);
  }
  if (e.out.size() > static_cast<size_t>(Shape::kMaxRank)) return invalid("Einsum: the output of '{}' has rank {}, expected at most {}", text, e.out.size(), Shape::kMaxRank);
  return e;
}

Result<std::vector<ValueInfo>> infer_einsum(const OpCall& c) {
  if (c.in.empty()) return invalid("Einsum: got no operand, expected at least one");
  std::vector<int> ranks;
  for (size_t i = 0; i < c.in.size(); ++i) {
    MAINSPRING_TRY(const ValueInfo* x, need("Einsum", c, i, "operand"));
    if (!is_number(x->dtype) || x->dtype != c.in[0].dtype) return invalid("Einsum: operand {} is {}, expected numbers of one dtype", i, name_of(x->dtype));
    ranks.push_back(x->ranked ? static_cast<int>(x->dims.size()) : -1);
  }
  MAINSPRING_TRY(const Equation e, parse(c.attrs.s("equation"), ranks));
  std::array<Dim, kLabels> extents;
  extents.fill(Dim(1));
  for (size_t i = 0; i < e.terms.size(); ++i)
    for (size_t axis = 0; axis < e.terms[i].size(); ++axis) {
      Dim& d = extents[static_cast<size_t>(e.terms[i][axis])];
      const Dim x = c.in[i].ranked ? c.in[i].dims[axis] : Dim::unknown();
      if (x == d || x == Dim(1)) continue;
      if (d.is_constant() && d.times != 1 && x.is_constant()) return invalid("Einsum: one label has the extents {} and {}", d.times, x.times);
      if (d == Dim(1) || x.is_constant()) d = x;
    }
  int64_t steps = 1;
  for (const Dim& d : extents) {
    const auto more = checked_mul(steps, d.is_constant() ? std::max(d.times, int64_t{1}) : 1);
    if (!more) return invalid("Einsum: the labels' extents have a product beyond 2^63");
    steps = *more;
  }
  if (!e.ranked) return one(unranked(c.in[0].dtype));
  Dims dims;
  for (const int label : e.out) dims.push_back(extents[static_cast<size_t>(label)]);
  return one(tensor_of(c.in[0].dtype, std::move(dims)));
}

/// Counts through the extents of some labels and keeps each operand's offset.
struct Counter {
  std::vector<int64_t> extents, index;
  std::vector<std::vector<int64_t>> strides;  // [label][operand]
  int64_t steps = 1;
  void add(int64_t extent, std::vector<int64_t> by_operand) {
    extents.push_back(extent);
    index.push_back(0);
    strides.push_back(std::move(by_operand));
    steps *= extent;
  }
  void next(std::vector<int64_t>& at) {
    for (size_t d = extents.size(); d-- > 0;) {
      const bool carry = ++index[d] == extents[d];
      for (size_t o = 0; o < at.size(); ++o) at[o] += carry ? -strides[d][o] * (extents[d] - 1) : strides[d][o];
      if (!carry) return;
      index[d] = 0;
    }
  }
};

void reference_einsum(const OpArgs& a) {
  std::vector<int> ranks;
  for (const TensorView& x : a.in) ranks.push_back(x.shape.rank());
  const auto equation = parse(a.attrs.s("equation"), ranks);
  if (!equation) return;  // infer has seen it
  const size_t n = a.in.size();
  std::vector<int64_t> extents(kLabels, 1);
  std::vector<std::vector<int64_t>> strides(kLabels, std::vector<int64_t>(n, 0));
  std::vector<char> present(kLabels, 0), in_output(kLabels, 0);
  for (size_t o = 0; o < n; ++o) {
    const Shape& s = a.in[o].shape;
    int64_t stride = 1;
    for (int axis = s.rank() - 1; axis >= 0; --axis) {
      const auto label = static_cast<size_t>(equation->terms[o][static_cast<size_t>(axis)]);
      present[label] = 1;
      if (s[axis] != 1) {
        extents[label] = s[axis];
        strides[label][o] += stride;
      }
      stride *= s[axis];
    }
  }
  Counter output, sum;
  for (const int label : equation->out) {
    in_output[static_cast<size_t>(label)] = 1;
    output.add(extents[static_cast<size_t>(label)], strides[static_cast<size_t>(label)]);
  }
  for (size_t label = 0; label < kLabels; ++label)
    if (present[label] && !in_output[label]) sum.add(extents[label], strides[label]);
  with_numbers(a.in[0].dtype, [&]<class T>() {
    using U = Wrapping<T>;
    std::vector<std::vector<T>> x;
    for (const TensorView& v : a.in) x.push_back(load_all<T>(v));
    std::vector<int64_t> at(n, 0);
    for (int64_t i = 0; i < output.steps; ++i, output.next(at)) {
      U total = 0;
      for (int64_t k = 0; k < sum.steps; ++k, sum.next(at)) {  // comes back to where it began
        U term = static_cast<U>(x[0][static_cast<size_t>(at[0])]);
        for (size_t o = 1; o < n; ++o) term *= static_cast<U>(x[o][static_cast<size_t>(at[o])]);
        total += term;
      }
      store_one(a.out[0], i, static_cast<T>(total));
    }
  });
}

}  // namespace

constinit const OpDef op_Einsum{.name = "Einsum", .min_in = 1, .max_in = kVariadic, .n_out = 1, .infer = infer_einsum, .reference = reference_einsum};

}  // namespace mainspring::inline v0
