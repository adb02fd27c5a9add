// TfIdfVectorizer (x [n] or [rows, n] of i32, i64 or strings) -> f32 [(rows,) max(ngram_indexes) + 1]: how often each n-gram of the pool is met.
// pool_int64s or pool_strings: all 1-grams, 2-grams, …, beginning at ngram_counts; ngram_indexes: the output's place of each; weights likewise.
// N-grams of min_gram_length to max_gram_length items that lie 1 to max_skip_count + 1 apart; 1-grams are met once.
// mode = TF: counts; IDF: the weight of those met; TFIDF: counts × weights.
#include <map>
#include <unordered_map>

#include "ops/data/data.h"

namespace mainspring::inline v0 {
namespace {

constexpr const char* kName = "TfIdfVectorizer";

Result<std::vector<ValueInfo>> infer(const OpCall& c) {
  MAINSPRING_TRY(const ValueInfo* x, need(kName, c, 0, "X"));
  const bool strings = c.attrs.has("pool_strings") && !c.attrs.ss("pool_strings").empty();
  if (strings ? x->dtype != DType::string : x->dtype != DType::i32 && x->dtype != DType::i64) return invalid("{}: X is {}, the pool is of {}", kName, text_of(*x), strings ? "strings" : "integers");
  MAINSPRING_TRY_VOID(want_rank(kName, *x, "X", 0, 2));
  const auto mode = c.attrs.s("mode");
  if (mode != "TF" && mode != "IDF" && mode != "TFIDF") return invalid("{}: mode is '{}'", kName, mode);
  const auto counts = c.attrs.is("ngram_counts"), places = c.attrs.is("ngram_indexes");
  const auto pool = static_cast<int64_t>(strings ? c.attrs.ss("pool_strings").size() : c.attrs.is("pool_int64s").size());
  int64_t grams = 0;
  for (size_t k = 0; k < counts.size(); ++k) {
    const int64_t end = k + 1 < counts.size() ? counts[k + 1] : pool;
    if (counts[k] < 0 || counts[k] > end || end > pool) return invalid("{}: {}-grams stand in [{}, {}) of a pool of {}", kName, k + 1, counts[k], end, pool);
    grams += (end - counts[k]) / static_cast<int64_t>(k + 1);
  }
  if (places.empty() || static_cast<int64_t>(places.size()) < grams) return invalid("{}: {} places for {} n-grams", kName, places.size(), grams);
  if (c.attrs.has("weights") && c.attrs.fs("weights").size() != places.size()) return invalid("{}: {} weights for {} n-grams", kName, c.attrs.fs("weights").size(), places.size());
  const auto [least, most] = std::minmax_element(places.begin(), places.end());
  if (*least < 0 || *most >= (int64_t{1} << 40)) return invalid("{}: places {} to {}", kName, *least, *most);
  if (c.attrs.i("min_gram_length") < 1 || c.attrs.i("max_gram_length") < c.attrs.i("min_gram_length") || c.attrs.i("max_skip_count") < 0)
    return invalid("{}: n-grams of {} to {} with {} skipped", kName, c.attrs.i("min_gram_length"), c.attrs.i("max_gram_length"), c.attrs.i("max_skip_count"));
  if (!x->ranked) return one(unranked(DType::f32));
  Dims dims{*most + 1};
  if (x->dims.size() == 2) dims.insert(dims.begin(), x->dims[0]);
  return one(tensor_of(DType::f32, std::move(dims)));
}

/// The pool as a tree: from a node (0 is the root) by an item to the next; a node that ends an n-gram knows its place in the output.
struct Tree {
  std::unordered_map<std::string_view, int64_t> words;  // strings as numbers
  std::map<std::pair<int64_t, int64_t>, int64_t> next;
  std::vector<int64_t> place{-1};

  explicit Tree(const Attrs& attrs) {
    const auto strings = attrs.ss("pool_strings");
    const auto numbers = attrs.is("pool_int64s");
    for (const std::string& s : strings) words.emplace(s, static_cast<int64_t>(words.size()));
    const auto counts = attrs.is("ngram_counts"), places = attrs.is("ngram_indexes");
    const auto pool = static_cast<int64_t>(strings.empty() ? numbers.size() : strings.size());
    size_t gram = 0;
    for (size_t k = 0; k < counts.size(); ++k) {
      const auto n = static_cast<int64_t>(k) + 1, end = k + 1 < counts.size() ? counts[k + 1] : pool;
      const bool wanted = n >= attrs.i("min_gram_length") && n <= attrs.i("max_gram_length");
      for (int64_t at = counts[k]; at + n <= end; at += n, ++gram) {
        int64_t node = 0;
        for (int64_t j = at; wanted && j < at + n; ++j) node = child(node, strings.empty() ? numbers[static_cast<size_t>(j)] : words[strings[static_cast<size_t>(j)]]);
        if (wanted) place[static_cast<size_t>(node)] = places[gram];
      }
    }
  }
  int64_t child(int64_t node, int64_t item) {
    const auto [at, fresh] = next.emplace(std::pair(node, item), static_cast<int64_t>(place.size()));
    if (fresh) place.push_back(-1);
    return at->second;
  }
  int64_t item(const TensorView& x, int64_t i) const {
    if (x.dtype != DType::string) return load_int(x, i);
    const auto at = words.find(x.as<std::string_view>()[i]);
    return at == words.end() ? -1 : at->second;
  }
};

void count_row(const Tree& tree, const OpArgs& a, int64_t first, int64_t n, float* y) {
  int64_t least = a.attrs.i("min_gram_length");
  const int64_t longest = a.attrs.i("max_gram_length");
  const int64_t far = std::min(a.attrs.i("max_skip_count"), n) + 1;
  for (int64_t apart = 1; apart <= far && least <= longest; ++apart) {
    for (int64_t start = 0; start < n && (least - 1) * apart < n - start; ++start) {
      int64_t node = 0, length = 1;
      for (int64_t at = start; at < n && length <= longest; at += apart, ++length) {
        const auto hit = tree.next.find({node, tree.item(a.in[0], first + at)});
        if (hit == tree.next.end()) break;
        node = hit->second;
        if (const int64_t place = tree.place[static_cast<size_t>(node)]; length >= least && place >= 0) y[place] += 1;
      }
    }
    if (least == 1) ++least;  // one item alone is never apart
  }
}

void reference(const OpArgs& a) {
  const TensorView &x = a.in[0], &y = a.out[0];
  const int64_t width = y.shape.back(), rows = x.shape.rank() == 2 ? x.shape[0] : 1, n = x.shape.rank() == 2 ? x.shape[1] : x.shape.elements();
  const Tree tree(a.attrs);
  const auto mode = a.attrs.s("mode");
  const auto weights = a.attrs.fs("weights");
  const auto places = a.attrs.is("ngram_indexes");
  for (int64_t r = 0; r < rows; ++r) {
    float* row = y.as<float>() + r * width;
    std::fill(row, row + width, 0.0f);
    count_row(tree, a, r * n, n, row);
    if (mode == "IDF")
      for (int64_t i = 0; i < width; ++i) row[i] = std::min(row[i], 1.0f);
    for (size_t i = 0; i < weights.size() && mode != "TF"; ++i) row[places[i]] *= static_cast<float>(weights[i]);
  }
}

}  // namespace

constinit const OpDef op_TfIdfVectorizer{.name = kName, .min_in = 1, .max_in = 1, .n_out = 1, .infer = infer, .reference = reference};

}  // namespace mainspring::inline v0
