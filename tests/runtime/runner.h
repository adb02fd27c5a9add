// Feeds one sequence of a session by a plan of chunks and keeps the logits of every row.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "mainspring/mainspring.h"
#include "support/zoo.h"

namespace mainspring::inline v0::test {

using Rows = std::vector<float>;

inline Model open_file(const std::string& bytes, const ContextOptions& options = {}) {
  const Context context(options);
  auto model = Model::open(std::as_bytes(std::span(bytes)), {.context = &context});
  if (!model) ADD_FAILURE() << model.error().message;
  return *std::move(model);
}

inline Session open_session(const Model& model, const SessionOptions& options) {
  auto session = Session::create(model, options);
  if (!session) ADD_FAILURE() << session.error().message;
  return *std::move(session);
}

/// Ids that do not repeat soon.
inline std::vector<int32_t> ids(size_t n, int64_t vocabulary, uint32_t seed = 1) {
  std::vector<int32_t> out(n);
  for (int32_t& id : out) {
    seed = seed * 1664525u + 1013904223u;
    id = static_cast<int32_t>((seed >> 8) % static_cast<uint32_t>(vocabulary));
  }
  return out;
}

/// Appends `tokens` to `sequence`, cut into `chunks` in turn (the last one again and again), with all logits.
inline Rows feed(Session& session, std::span<const int32_t> tokens, const std::vector<size_t>& chunks = {1u << 20}, int sequence = 0) {
  Rows out;
  for (size_t at = 0, i = 0; at < tokens.size(); ++i) {
    const size_t n = std::min(chunks[std::min(i, chunks.size() - 1)], tokens.size() - at);
    const StepItem item{sequence, tokens.subspan(at, n), Logits::all};
    auto r = session.step(std::span(&item, 1));
    if (!r) {
      ADD_FAILURE() << r.error().message;
      return out;
    }
    out.insert(out.end(), r->logits, r->logits + r->rows * r->vocabulary);
    at += n;
  }
  return out;
}

inline bool same_bits(const Rows& a, const Rows& b) { return a.size() == b.size() && !a.empty() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0; }

}  // namespace mainspring::inline v0::test
