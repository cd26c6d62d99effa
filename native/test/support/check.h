// TEST_CASE, CHECK, REQUIRE and what else the unit tests say. A program of tests is one file and check.cc, which has
// main(): it runs the cases in the order of the file, prints the name of each before it begins, and below it what
// failed, with file, line and both values. Checks may be made on any thread. REQUIRE, FAIL and SKIP end the case by an
// exception: on the thread of the case alone.
#ifndef RUMPBLK_TEST_SUPPORT_CHECK_H_
#define RUMPBLK_TEST_SUPPORT_CHECK_H_

#include <concepts>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace blk::check {

struct Site {
  const char* file;
  int line;
};

// A value as a failure shows it; what it has no words for is `{?}`.
template <typename T>
std::string Show(const T& value) {
  if constexpr (std::is_same_v<T, bool>) {
    return value ? "true" : "false";
  } else if constexpr (std::is_same_v<T, char>) {
    return std::string{'\'', value, '\''};
  } else if constexpr (std::is_enum_v<T>) {
    return Show(+static_cast<std::underlying_type_t<T>>(value));
  } else if constexpr (std::is_arithmetic_v<T>) {
    return std::to_string(value);
  } else if constexpr (std::is_null_pointer_v<T>) {
    return "nullptr";
  } else if constexpr (std::is_convertible_v<const T&, std::string_view>) {
    if constexpr (std::is_pointer_v<T>) {
      if (value == nullptr) return "nullptr";
    }
    return std::string(std::string_view(value));
  } else if constexpr (std::is_pointer_v<T>) {
    return value == nullptr ? "nullptr" : "0x...";
  } else if constexpr (requires { value.has_value(), *value; }) {
    return value.has_value() ? Show(*value) : "nullopt";
  } else if constexpr (requires { value.load(); }) {
    return Show(value.load());
  } else if constexpr (requires { value.begin() != value.end(), value.size(); }) {
    std::string text = std::to_string(value.size()) + " of {";
    size_t shown = 0;
    for (const auto& item : value) {
      text += (shown == 0 ? "" : ", ") + (shown == 16 ? "..." : Show(item));
      if (shown++ == 16) break;
    }
    return text + "}";
  } else {
    return "{?}";
  }
}

// How an expression came out; `values` is what stands for it in numbers, and is made for those alone that are not so.
struct Outcome {
  bool holds;
  std::string values;
};

// The integer that a value is or, as an atomic, holds.
template <typename T>
requires std::is_integral_v<T>
auto Integer(const T& value) { return +value; }
template <typename T>
requires requires(const T& value) { requires std::is_integral_v<decltype(value.load())>; }
auto Integer(const T& value) { return +value.load(); }

// Integers by their values, whatever their signs; all else by its own operator.
#define RUMPBLK_CHECK_OPERATOR(op, by_value)                                        \
  template <typename R>                                                             \
  Outcome operator op(const R& right) const {                                       \
    bool holds;                                                                     \
    if constexpr (requires { Integer(left), Integer(right); }) {                    \
      holds = by_value(Integer(left), Integer(right));                              \
    } else {                                                                        \
      holds = static_cast<bool>(left op right);                                     \
    }                                                                               \
    return {holds, holds ? std::string() : Show(left) + " " #op " " + Show(right)}; \
  }

// The left side of a comparison, or an expression that is none.
template <typename L>
struct Left {
  const L& left;

  RUMPBLK_CHECK_OPERATOR(==, std::cmp_equal)
  RUMPBLK_CHECK_OPERATOR(!=, std::cmp_not_equal)
  RUMPBLK_CHECK_OPERATOR(<, std::cmp_less)
  RUMPBLK_CHECK_OPERATOR(<=, std::cmp_less_equal)
  RUMPBLK_CHECK_OPERATOR(>, std::cmp_greater)
  RUMPBLK_CHECK_OPERATOR(>=, std::cmp_greater_equal)

  // NOLINTNEXTLINE(google-explicit-constructor)
  operator Outcome() const {
    const bool holds = static_cast<bool>(left);
    return {holds, Show(left)};
  }
};
#undef RUMPBLK_CHECK_OPERATOR

// `Split() <=> a == b` is `(Split() <=> a) == b`: <=> binds closer than the comparisons, and not as close as
// arithmetic.
struct Split {
  template <typename L>
  Left<L> operator<=>(const L& left) const {
    return {left};
  }
};

// Counts a check, and reports it when it did not come out as wanted. -> whether it did
bool Judge(Site site, const char* macro, const char* expression, const Outcome& outcome, bool wanted);
// Judge(), which ends the case.
void Demand(Site site, const char* macro, const char* expression, const Outcome& outcome, bool wanted);

// Text put together by <<.
class Text {
 public:
  template <typename T>
  Text& operator<<(const T& value) {
    text_ += Show(value);
    return *this;
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

// What INFO says, asked for when a check of the same thread fails within its scope.
class Info {
 public:
  Info(const Info&) = delete;
  Info& operator=(const Info&) = delete;
  virtual void Say(Text& text) const = 0;
  const Info* outer() const { return outer_; }

 protected:
  Info();
  ~Info();

 private:
  const Info* outer_;
};

template <typename F>
class InfoOf final : public Info {
 public:
  explicit InfoOf(F say) : say_(std::move(say)) {}
  void Say(Text& text) const override { say_(text); }

 private:
  F say_;
};

[[noreturn]] void Fail(Site site, const Text& text);
[[noreturn]] void Skip(const Text& text);

// Enters a case into the list of the program.
struct Registered {
  Registered(Site site, const char* name, void (*run)());
};

}  // namespace blk::check

#define RUMPBLK_CHECK_SITE (::blk::check::Site{__FILE__, __LINE__})
#define RUMPBLK_CHECK_TEXT(...) (::blk::check::Text() << __VA_ARGS__)
#define RUMPBLK_CHECK_JOIN_(a, b) a##b
#define RUMPBLK_CHECK_JOIN(a, b) RUMPBLK_CHECK_JOIN_(a, b)
#define RUMPBLK_CHECK_CASE(function, name)                                                                             \
  static void function();                                                                                              \
  static const ::blk::check::Registered RUMPBLK_CHECK_JOIN(function, _registered)(RUMPBLK_CHECK_SITE, name, function); \
  static void function()
#define RUMPBLK_CHECK(judge, macro, wanted, ...) \
  ::blk::check::judge(RUMPBLK_CHECK_SITE, macro, #__VA_ARGS__, ::blk::check::Split() <=> __VA_ARGS__, wanted)

// TEST_CASE("what holds") { ... }
#define TEST_CASE(name) RUMPBLK_CHECK_CASE(RUMPBLK_CHECK_JOIN(test_case_, __LINE__), name)
// Fails the case unless the expression is true; what follows is run. A comparison is shown with both of its values.
#define CHECK(...) RUMPBLK_CHECK(Judge, "CHECK", true, __VA_ARGS__)
#define CHECK_FALSE(...) RUMPBLK_CHECK(Judge, "CHECK_FALSE", false, __VA_ARGS__)
// As CHECK, and ends the case.
#define REQUIRE(...) RUMPBLK_CHECK(Demand, "REQUIRE", true, __VA_ARGS__)
#define REQUIRE_FALSE(...) RUMPBLK_CHECK(Demand, "REQUIRE_FALSE", false, __VA_ARGS__)
// FAIL("at " << i): fails and ends the case. SKIP("no such device"): ends it as one that this machine cannot run.
#define FAIL(...) ::blk::check::Fail(RUMPBLK_CHECK_SITE, RUMPBLK_CHECK_TEXT(__VA_ARGS__))
#define SKIP(...) ::blk::check::Skip(RUMPBLK_CHECK_TEXT(__VA_ARGS__))
// INFO("at " << i): shown with what fails in the rest of the scope.
#define INFO(...)                                \
  const ::blk::check::InfoOf RUMPBLK_CHECK_JOIN( \
      info_, __LINE__)([&](::blk::check::Text& text_of_info) { text_of_info << __VA_ARGS__; })
// INFO with the name of a variable before its value.
#define CAPTURE(variable) INFO(#variable " = " << (variable))

#endif  // RUMPBLK_TEST_SUPPORT_CHECK_H_
