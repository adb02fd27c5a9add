#include <algorithm>

#include "mainspring/ext/graph.h"

namespace mainspring::inline v0 {

const Attr* Attrs::find(std::string_view name) const {
  for (const Attr& a : list_)
    if (a.name == name) return &a;
  return nullptr;
}

int64_t Attrs::i(std::string_view name, int64_t otherwise) const {
  const Attr* a = find(name);
  const int64_t* v = a ? std::get_if<int64_t>(&a->value) : nullptr;
  return v ? *v : otherwise;
}

double Attrs::f(std::string_view name, double otherwise) const {
  const Attr* a = find(name);
  if (!a) return otherwise;
  if (const double* v = std::get_if<double>(&a->value)) return *v;
  const int64_t* v = std::get_if<int64_t>(&a->value);  // an integer is a number too: {"eps", 0}
  return v ? static_cast<double>(*v) : otherwise;
}

std::string_view Attrs::s(std::string_view name, std::string_view otherwise) const {
  const Attr* a = find(name);
  const std::string* v = a ? std::get_if<std::string>(&a->value) : nullptr;
  return v ? std::string_view(*v) : otherwise;
}

std::span<const double> Attrs::fs(std::string_view name) const {
  const Attr* a = find(name);
  const auto* v = a ? std::get_if<std::vector<double>>(&a->value) : nullptr;
  return v ? std::span<const double>(*v) : std::span<const double>{};
}

std::span<const std::string> Attrs::ss(std::string_view name) const {
  const Attr* a = find(name);
  const auto* v = a ? std::get_if<std::vector<std::string>>(&a->value) : nullptr;
  return v ? std::span<const std::string>(*v) : std::span<const std::string>{};
}

const Tensor* Attrs::t(std::string_view name) const {
  const Attr* a = find(name);
  return a ? std::get_if<Tensor>(&a->value) : nullptr;
}

std::span<const int64_t> Attrs::is(std::string_view name) const {
  const Attr* a = find(name);
  const auto* v = a ? std::get_if<std::vector<int64_t>>(&a->value) : nullptr;
  return v ? std::span<const int64_t>(*v) : std::span<const int64_t>{};
}

void Attrs::set(std::string name, decltype(Attr::value) value) {
  for (Attr& a : list_)
    if (a.name == name) {
      a.value = std::move(value);
      return;
    }
  list_.push_back({std::move(name), std::move(value)});
}

// Order is the builder's accident, so it does not count. Names are unique when lists are made through set().
bool operator==(const Attrs& a, const Attrs& b) {
  return a.list_.size() == b.list_.size() && std::all_of(a.list_.begin(), a.list_.end(), [&b](const Attr& x) {
           const Attr* y = b.find(x.name);
           return y && y->value == x.value;
         });
}

}  // namespace mainspring::inline v0
