// ai.onnx.ml.TreeEnsemble(x [N,F]) -> [N,n_targets]                    attrs nodes_*, leaf_*, tree_roots, n_targets, aggregate_function, post_transform
// ai.onnx.ml.TreeEnsembleRegressor(x [N,F]) -> f32 [N,n_targets]       attrs nodes_*, target_*, base_values, n_targets, aggregate_function, post_transform
// ai.onnx.ml.TreeEnsembleClassifier(x [N,F]) -> label [N], scores f32 [N,E]      attrs nodes_*, class_*, classlabels_*, base_values, post_transform
// Every row goes down every tree; what its leaves say is added up by target.
#include <algorithm>
#include <cmath>
#include <map>

#include "ops/ml/scores.h"
#include "ops/op.h"

namespace mainspring::inline v0 {
namespace {

enum Mode : uint8_t { leq, lt, gte, gt, eq, neq, member, leaf };
constexpr std::string_view kModes[] = {"BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ", "BRANCH_MEMBER", "LEAF"};
enum Aggregate : uint8_t { average, sum, least, most };
constexpr std::string_view kAggregates[] = {"AVERAGE", "SUM", "MIN", "MAX"};

struct Vote {
  int64_t target;
  double weight;
};
struct TreeNode {
  Mode mode = leaf;
  bool missing_is_true = false;
  int64_t feature = 0;
  double split = 0;
  int64_t yes = -1, no = -1;          ///< nodes; < 0: nothing is said
  size_t first = 0, last = 0;         ///< leaf: votes; member: members
};
struct Forest {
  std::vector<TreeNode> nodes;
  std::vector<int64_t> roots;
  std::vector<Vote> votes;
  std::vector<double> members;

  /// The leaf of a row, or null where a tree leads nowhere.
  const TreeNode* fall(int64_t root, std::span<const double> x) const {
    int64_t at_node = root;
    for (size_t steps = 0; steps <= nodes.size(); ++steps) {  // a circle ends too
      if (at_node < 0 || at(at_node) >= nodes.size()) return nullptr;
      const TreeNode& n = nodes[at(at_node)];
      if (n.mode == leaf) return &n;
      const double v = n.feature >= 0 && at(n.feature) < x.size() ? x[at(n.feature)] : 0;
      at_node = goes(n, v) ? n.yes : n.no;
    }
    return nullptr;
  }
  bool goes(const TreeNode& n, double v) const {
    if (v != v && n.missing_is_true) return true;
    switch (n.mode) {
      case leq: return v <= n.split;
      case lt: return v < n.split;
      case gte: return v >= n.split;
      case gt: return v > n.split;
      case eq: return v == n.split;
      case neq: return v != n.split;
      default: return std::find(members.begin() + static_cast<std::ptrdiff_t>(n.first), members.begin() + static_cast<std::ptrdiff_t>(n.last), v) != members.begin() + static_cast<std::ptrdiff_t>(n.last);
    }
  }
  /// Adds up what the leaves say of one row. `heard[t]`: whether any spoke of target t.
  void score(std::span<const double> x, Aggregate how, std::span<double> to, std::vector<uint8_t>& heard) const {
    std::fill(to.begin(), to.end(), 0.0);
    std::fill(heard.begin(), heard.end(), uint8_t{0});
    for (const int64_t root : roots) {
      const TreeNode* n = fall(root, x);
      for (size_t i = n ? n->first : 0; n && i < n->last; ++i) {
        const auto t = static_cast<size_t>(votes[i].target);
        if (votes[i].target < 0 || t >= to.size()) continue;
        const double w = votes[i].weight;
        to[t] = !heard[t] ? w : how == least ? std::min(to[t], w) : how == most ? std::max(to[t], w) : to[t] + w;
        heard[t] = 1;
      }
    }
    if (how == average && !roots.empty())
      for (double& s : to) s /= static_cast<double>(roots.size());
  }
};

/// A list of numbers that stands in an attribute, or as a tensor in the one with a longer name.
std::vector<double> numbers_attr(const Attrs& attrs, const std::string& name) {
  for (const std::string& tensor : {name, name + "_as_tensor"})
    if (const Tensor* t = attrs.t(tensor)) return numbers_of(view_of(*t));
  return {attrs.fs(name).begin(), attrs.fs(name).end()};
}

/// Of the older operators, whose votes have names that begin with `prefix`. Errors: invalid_argument.
Result<Forest> forest_of_ids(const char* op, const Attrs& attrs, const std::string& prefix) {
  Forest f;
  const std::span<const int64_t> trees = attrs.is("nodes_treeids"), ids = attrs.is("nodes_nodeids"), features = attrs.is("nodes_featureids");
  const std::span<const int64_t> yes = attrs.is("nodes_truenodeids"), no = attrs.is("nodes_falsenodeids"), missing = attrs.is("nodes_missing_value_tracks_true");
  const std::span<const std::string> modes = attrs.ss("nodes_modes");
  const std::vector<double> splits = numbers_attr(attrs, "nodes_values");
  const size_t n = ids.size();
  for (const size_t length : {trees.size(), features.size(), yes.size(), no.size(), modes.size(), splits.size(), missing.empty() ? n : missing.size()})
    if (length != n) return invalid("{}: attributes nodes_* have {} and {} entries", op, length, n);
  std::map<std::pair<int64_t, int64_t>, int64_t> place;
  for (size_t i = 0; i < n; ++i) {
    if (!place.emplace(std::pair(trees[i], ids[i]), static_cast<int64_t>(i)).second) return invalid("{}: node {} of tree {} stands twice", op, ids[i], trees[i]);
    if (i == 0 || trees[i] != trees[i - 1]) f.roots.push_back(static_cast<int64_t>(i));
  }
  const auto find = [&](int64_t tree, int64_t id) {
    const auto p = place.find({tree, id});
    return p == place.end() ? int64_t{-1} : p->second;
  };
  for (size_t i = 0; i < n; ++i) {
    const auto mode = std::find(std::begin(kModes), std::end(kModes), modes[i]);
    if (mode == std::end(kModes) || mode - kModes == member) return invalid("{}: a node of mode '{}'", op, modes[i]);
    TreeNode node{static_cast<Mode>(mode - kModes), !missing.empty() && missing[i] != 0, features[i], splits[i], -1, -1, 0, 0};
    if (node.mode != leaf) node.yes = find(trees[i], yes[i]), node.no = find(trees[i], no[i]);
    if (node.mode != leaf && (node.yes < 0 || node.no < 0)) return invalid("{}: node {} of tree {} leads to a node that is not there", op, ids[i], trees[i]);
    f.nodes.push_back(node);
  }
  const std::span<const int64_t> vote_trees = attrs.is(prefix + "_treeids"), vote_nodes = attrs.is(prefix + "_nodeids"), targets = attrs.is(prefix + "_ids");
  const std::vector<double> weights = numbers_attr(attrs, prefix + "_weights");
  if (vote_trees.size() != targets.size() || vote_nodes.size() != targets.size() || weights.size() != targets.size()) return invalid("{}: attributes {}_* differ in length", op, prefix);
  // Votes of a leaf lie together, in the order of the lists.
  std::vector<std::vector<Vote>> by_node(n);
  for (size_t i = 0; i < targets.size(); ++i) {
    const int64_t node = find(vote_trees[i], vote_nodes[i]);
    if (node < 0) return invalid("{}: a weight for node {} of tree {}, which is not there", op, vote_nodes[i], vote_trees[i]);
    by_node[at(node)].push_back({targets[i], weights[i]});
  }
  for (size_t i = 0; i < n; ++i) {
    if (f.nodes[i].mode == leaf) f.nodes[i].first = f.votes.size(), f.votes.insert(f.votes.end(), by_node[i].begin(), by_node[i].end()), f.nodes[i].last = f.votes.size();
  }
  return f;
}

/// Of TreeEnsemble: nodes and leaves by place; leaves become nodes behind the others.
Result<Forest> forest_of_places(const char* op, const Attrs& attrs) {
  Forest f;
  const std::span<const int64_t> features = attrs.is("nodes_featureids"), yes = attrs.is("nodes_truenodeids"), no = attrs.is("nodes_falsenodeids");
  const std::span<const int64_t> yes_leaf = attrs.is("nodes_trueleafs"), no_leaf = attrs.is("nodes_falseleafs"), missing = attrs.is("nodes_missing_value_tracks_true");
  const std::span<const int64_t> targets = attrs.is("leaf_targetids"), roots = attrs.is("tree_roots");
  const std::vector<double> modes = numbers_attr(attrs, "nodes_modes"), splits = numbers_attr(attrs, "nodes_splits"), weights = numbers_attr(attrs, "leaf_weights");
  const std::vector<double> members = numbers_attr(attrs, "membership_values");
  const size_t n = features.size();
  for (const size_t length : {yes.size(), no.size(), yes_leaf.size(), no_leaf.size(), modes.size(), splits.size(), missing.empty() ? n : missing.size()})
    if (length != n) return invalid("{}: attributes nodes_* have {} and {} entries", op, length, n);
  if (weights.size() != targets.size()) return invalid("{}: {} leaf weights and {} targets", op, weights.size(), targets.size());
  f.members = members;
  size_t member_at = 0;
  for (size_t i = 0; i < n; ++i) {
    if (!(modes[i] >= 0 && modes[i] <= 6)) return invalid("{}: a node of mode {}", op, modes[i]);
    TreeNode node{static_cast<Mode>(modes[i]), !missing.empty() && missing[i] != 0, features[i], splits[i], -1, -1, 0, 0};
    const auto child = [&](int64_t to, bool is_leaf) -> int64_t {
      if (to < 0 || at(to) >= (is_leaf ? targets.size() : n)) return -1;
      return is_leaf ? static_cast<int64_t>(n) + to : to;
    };
    node.yes = child(yes[i], yes_leaf[i] != 0), node.no = child(no[i], no_leaf[i] != 0);
    if (node.yes < 0 || node.no < 0) return invalid("{}: node {} leads to {}, {}, which are not there", op, i, yes[i], no[i]);
    if (node.mode == member) {  // sets stand one behind the other, each ends with NaN
      node.first = member_at;
      while (member_at < members.size() && members[member_at] == members[member_at]) ++member_at;
      node.last = member_at;
      if (member_at < members.size()) ++member_at;
    }
    f.nodes.push_back(node);
  }
  for (size_t i = 0; i < targets.size(); ++i) {
    f.votes.push_back({targets[i], weights[i]});
    TreeNode node;
    node.first = i, node.last = i + 1;
    f.nodes.push_back(node);
  }
  for (const int64_t root : roots) {
    if (root < 0 || at(root) >= n) return invalid("{}: a root at {} of {} nodes", op, root, n);
    f.roots.push_back(root);
  }
  return f;
}

// ---- TreeEnsemble, TreeEnsembleRegressor ------------------------------------------------------------------------------------

/// Scores of all rows; base values are added behind.
void regress(const OpArgs& a, const Forest& f, Aggregate how, Transform t) {
  const auto [rows, columns] = extents_of(a.in[0].shape);
  const std::vector<double> x = numbers_of(a.in[0]), base = numbers_attr(a.attrs, "base_values");
  const size_t targets = at(a.out[0].shape[1]);
  std::vector<double> y(at(rows) * targets);
  std::vector<uint8_t> heard(targets);
  for (int64_t r = 0; r < rows; ++r) {
    const std::span<double> to = std::span(y).subspan(at(r) * targets, targets);
    f.score(std::span(x).subspan(at(r * columns), at(columns)), how, to, heard);
    for (size_t i = 0; i < targets && !base.empty(); ++i) to[i] += base[std::min(i, base.size() - 1)];
    transform(t, to);
  }
  put_numbers(a.out[0], y);
}

Result<std::vector<ValueInfo>> infer_regress(const char* op, const OpCall& c, bool f32) {
  MAINSPRING_TRY(const Features f, features_of(op, c));
  MAINSPRING_TRY(const int64_t targets, int_attr(op, c.attrs, "n_targets", 1, 1, int64_t{1} << 32));
  return one(tensor_of(f32 ? DType::f32 : f.x->dtype, {f.rows, Dim(targets)}));
}

Result<std::vector<ValueInfo>> infer_TreeEnsemble(const OpCall& c) {
  const char* op = "ai.onnx.ml.TreeEnsemble";
  MAINSPRING_TRY_VOID(forest_of_places(op, c.attrs));
  MAINSPRING_TRY_VOID(int_attr(op, c.attrs, "aggregate_function", 1, 0, 3));
  MAINSPRING_TRY_VOID(int_attr(op, c.attrs, "post_transform", 0, 0, 4));
  return infer_regress(op, c, false);
}
void reference_TreeEnsemble(const OpArgs& a) {
  if (const auto f = forest_of_places("TreeEnsemble", a.attrs))
    regress(a, *f, static_cast<Aggregate>(a.attrs.i("aggregate_function", 1)), static_cast<Transform>(a.attrs.i("post_transform")));
}

Result<std::vector<ValueInfo>> infer_TreeEnsembleRegressor(const OpCall& c) {
  const char* op = "ai.onnx.ml.TreeEnsembleRegressor";
  MAINSPRING_TRY_VOID(forest_of_ids(op, c.attrs, "target"));
  MAINSPRING_TRY_VOID(transform_of(op, c.attrs));
  MAINSPRING_TRY_VOID(choice_attr(op, c.attrs, "aggregate_function", "SUM", kAggregates));
  return infer_regress(op, c, true);
}
void reference_TreeEnsembleRegressor(const OpArgs& a) {
  const auto f = forest_of_ids("TreeEnsembleRegressor", a.attrs, "target");
  const auto t = transform_of("TreeEnsembleRegressor", a.attrs);
  const auto how = std::find(std::begin(kAggregates), std::end(kAggregates), a.attrs.s("aggregate_function", "SUM")) - kAggregates;
  if (f && t) regress(a, *f, static_cast<Aggregate>(how), *t);
}

// ---- TreeEnsembleClassifier -------------------------------------------------------------------------------------------------

Result<std::vector<ValueInfo>> infer_TreeEnsembleClassifier(const OpCall& c) {
  const char* op = "ai.onnx.ml.TreeEnsembleClassifier";
  MAINSPRING_TRY(const Features f, features_of(op, c));
  MAINSPRING_TRY_VOID(forest_of_ids(op, c.attrs, "class"));
  MAINSPRING_TRY_VOID(transform_of(op, c.attrs));
  const Labels labels(c.attrs, "classlabels_int64s", "classlabels_strings");
  if (labels.count() == 0) return invalid("{}: no class labels", op);
  return first_outputs(c, {tensor_of(labels.dtype(), {f.rows}), tensor_of(DType::f32, {f.rows, Dim(static_cast<int64_t>(labels.count()))})});
}

void reference_TreeEnsembleClassifier(const OpArgs& a) {
  const auto f = forest_of_ids("TreeEnsembleClassifier", a.attrs, "class");
  const auto t = transform_of("TreeEnsembleClassifier", a.attrs);
  if (!f || !t) return;
  const Labels labels(a.attrs, "classlabels_int64s", "classlabels_strings");
  const auto [rows, columns] = extents_of(a.in[0].shape);
  const std::vector<double> x = numbers_of(a.in[0]), base = numbers_attr(a.attrs, "base_values");
  const size_t classes = labels.count();
  // Trees for two classes may speak of one alone: its score decides. Where no weight is negative it is a probability.
  const std::span<const int64_t> ids = a.attrs.is("class_ids");
  const bool one_speaks = std::all_of(ids.begin(), ids.end(), [&](int64_t id) { return id == ids[0]; }) && !ids.empty() && classes == 2;
  const bool positive = std::all_of(f->votes.begin(), f->votes.end(), [](const Vote& v) { return v.weight >= 0; });
  std::vector<double> all(at(rows) * classes);
  std::vector<uint8_t> heard(classes);
  for (int64_t r = 0; r < rows; ++r) {
    const std::span<double> to = std::span(all).subspan(at(r) * classes, classes);
    f->score(std::span(x).subspan(at(r * columns), at(columns)), sum, to, heard);
    for (size_t i = 0; i < classes && i < base.size() && !one_speaks; ++i) to[i] += base[i];
    size_t best = largest(to);
    if (one_speaks) {
      const double s = to[at(std::clamp<int64_t>(ids[0], 0, 1))] + (base.empty() ? 0 : base.back());
      best = s > (positive ? 0.5 : 0) ? 1 : 0;
      two_scores(*t, s, positive, to);
    } else {
      const bool is = to[0] > (positive ? 0.5 : 0);
      transform(*t, to);
      if (classes == 1) {
        if (wanted(a, 0)) labels.put_whether(a.out[0], r, is);
        continue;
      }
    }
    if (wanted(a, 0)) labels.put(a.out[0], r, best);
  }
  if (wanted(a, 1)) put_numbers(a.out[1], all);
}

}  // namespace

constinit const OpDef op_ml_TreeEnsemble{.name = "ai.onnx.ml.TreeEnsemble", .min_in = 1, .max_in = 1, .n_out = 1, .infer = infer_TreeEnsemble, .reference = reference_TreeEnsemble};
constinit const OpDef op_ml_TreeEnsembleRegressor{.name = "ai.onnx.ml.TreeEnsembleRegressor", .min_in = 1, .max_in = 1, .n_out = 1, .infer = infer_TreeEnsembleRegressor,
                                                  .reference = reference_TreeEnsembleRegressor};
constinit const OpDef op_ml_TreeEnsembleClassifier{.name = "ai.onnx.ml.TreeEnsembleClassifier", .min_in = 1, .max_in = 1, .n_out = 2, .infer = infer_TreeEnsembleClassifier,
                                                   .reference = reference_TreeEnsembleClassifier};

}  // namespace mainspring::inline v0
