// Expected failure as a value. Nothing in the library throws, aborts or prints; every fallible call returns Result<T>.
//
// The interface is the useful subset of C++23's std::expected, so that it can become an alias one day:
//
//   Result<Model> r = Model::open("m.gguf");
//   if (!r) return log(r.error().message);       // what + got + expected + where, lower case, no final period
//   Model model = *std::move(r);
//
//   MAINSPRING_TRY(Model model, Model::open("m.gguf"));   // the same inside a function that returns Result
//
// Thread-safety: plain values.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <new>
#include <string>
#include <type_traits>
#include <utility>

namespace mainspring::inline v0 {

/// What kind of failure. Callers branch on this; humans read Error::message.
enum class Errc : uint8_t {
  invalid_argument,    ///< the caller's argument is wrong (range, shape, dtype, missing)
  corrupt_data,        ///< bytes of a file contradict the format or themselves
  unsupported,         ///< well-formed, but this build or machine does not do it; the message names it
  not_found,           ///< no such file, tensor, key or name
  out_of_memory,       ///< the allocator hook returned null
  resource_exhausted,  ///< a configured limit: context full, queue full
  io_error,            ///< the operating system or the host's reader failed
  device_error,        ///< an accelerator failed
  cancelled,           ///< the host asked to stop
  internal,            ///< our own bug; please report it
};

/// The enumerator's name ("corrupt_data").
constexpr const char* name_of(Errc code) {
  constexpr const char* names[] = {"invalid_argument",   "corrupt_data", "unsupported",  "not_found", "out_of_memory",
                                   "resource_exhausted", "io_error",     "device_error", "cancelled", "internal"};
  return names[static_cast<int>(code)];
}

struct Error {
  Errc code = Errc::internal;
  std::string message;
};

/// A T or an Error. `[[nodiscard]]`: an ignored failure is a compile warning.
template <class T>
class [[nodiscard]] Result {
 public:
  using value_type = T;
  Result(T value) : ok_(true) { new (&value_) T(std::move(value)); }  // NOLINT: implicit on purpose
  Result(Error error) : ok_(false) { new (&error_) Error(std::move(error)); }  // NOLINT
  Result(Result&& o) noexcept : ok_(o.ok_) { take(std::move(o)); }
  Result(const Result& o) : ok_(o.ok_) {
    if (ok_) new (&value_) T(o.value_);
    else new (&error_) Error(o.error_);
  }
  Result& operator=(Result o) noexcept {
    destroy();
    ok_ = o.ok_;
    take(std::move(o));
    return *this;
  }
  ~Result() { destroy(); }

  [[nodiscard]] bool has_value() const { return ok_; }
  explicit operator bool() const { return ok_; }
  /// The value; undefined when there is none (check first).
  T& operator*() & { return value_; }
  const T& operator*() const& { return value_; }
  T&& operator*() && { return std::move(value_); }
  T* operator->() { return &value_; }
  const T* operator->() const { return &value_; }
  /// The error; undefined when there is a value.
  Error& error() & { return error_; }
  const Error& error() const& { return error_; }
  Error&& error() && { return std::move(error_); }
  /// The value, or the program ends (throws where exceptions are on): convenience for applications, never used by the library.
  T value() && {
    if (!ok_) die();
    return std::move(value_);
  }
  T value_or(T other) && { return ok_ ? std::move(value_) : std::move(other); }

 private:
  void take(Result&& o) {
    if (ok_) new (&value_) T(std::move(o.value_));
    else new (&error_) Error(std::move(o.error_));
  }
  void destroy() {
    if (ok_) value_.~T();
    else error_.~Error();
  }
  [[noreturn]] void die() const {
#if defined(__cpp_exceptions)
    throw error_;
#else
    std::abort();
#endif
  }
  bool ok_;
  union {
    T value_;
    Error error_;
  };
};

/// Success without a value, or an Error. `return {};` is success.
template <>
class [[nodiscard]] Result<void> {
 public:
  using value_type = void;
  Result() = default;
  Result(Error error) : ok_(false), error_(std::move(error)) {}  // NOLINT
  [[nodiscard]] bool has_value() const { return ok_; }
  explicit operator bool() const { return ok_; }
  Error& error() & { return error_; }
  const Error& error() const& { return error_; }
  Error&& error() && { return std::move(error_); }

 private:
  bool ok_ = true;
  Error error_;
};

}  // namespace mainspring::inline v0

#define MAINSPRING_CAT_(a, b) a##b
#define MAINSPRING_CAT(a, b) MAINSPRING_CAT_(a, b)

/// Declares a variable from a Result, or returns its error: MAINSPRING_TRY(auto x, f(y));
#define MAINSPRING_TRY(decl, ...)                                                                   \
  auto MAINSPRING_CAT(mainspring_try_, __LINE__) = (__VA_ARGS__);                                   \
  if (!MAINSPRING_CAT(mainspring_try_, __LINE__)) return std::move(MAINSPRING_CAT(mainspring_try_, __LINE__)).error(); \
  decl = *std::move(MAINSPRING_CAT(mainspring_try_, __LINE__))

/// Evaluates a Result<void> (or drops a value), or returns its error.
#define MAINSPRING_TRY_VOID(...)                                                                    \
  do {                                                                                              \
    auto mainspring_try_v = (__VA_ARGS__);                                                          \
    if (!mainspring_try_v) return std::move(mainspring_try_v).error();                              \
  } while (false)
