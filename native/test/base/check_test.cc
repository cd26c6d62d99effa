#include "test/support/check.h"

#include <unistd.h>

#include <array>
#include <atomic>
#include <climits>
#include <cstdio>
#include <optional>
#include <string>
#include <vector>

namespace blk::check {
namespace {

// `"PROGRAM beside this one" arguments`: what it prints, and behind that how it ended.
std::string Run(const std::string& program, const std::string& arguments) {
  std::array<char, 4096> path{};
  if (::readlink("/proc/self/exe", path.data(), path.size() - 1) < 0) return "readlink failed";
  const std::string self(path.data());
  FILE* const pipe = ::popen(("'" + self.substr(0, self.rfind('/') + 1) + program + "' " + arguments).c_str(), "r");
  if (pipe == nullptr) return "popen failed";
  std::string text;
  for (int c = std::fgetc(pipe); c != EOF; c = std::fgetc(pipe)) text += static_cast<char>(c);
  return text + "ended with " + std::to_string(::pclose(pipe) >> 8);
}

// The text without what stands before the name of the source file on each line.
std::string WithoutFolders(std::string text) {
  const std::string name = "failing_cases.cc";
  for (size_t at = text.find(name); at != std::string::npos; at = text.find(name, at + 1)) {
    const size_t begin = text.rfind("  ", at) + 2;
    text.erase(begin, at - begin);
    at = begin;
  }
  return text;
}

TEST_CASE("a program says of each case what failed, where and with which values, and counts") {
  CHECK(WithoutFolders(Run("failing_cases", "")) ==
        "passes\n"
        "fails twice and goes on\n"
        "  failing_cases.cc:14: CHECK(list.size() == 3u) is 2 == 3\n"
        "    with round 7\n"
        "  failing_cases.cc:15: CHECK_FALSE(list == std::vector{1, 2})\n"
        "    with round 7\n"
        "fails and ends\n"
        "  failing_cases.cc:19: REQUIRE(-1 > 0u) is -1 > 0\n"
        "fails by its own word\n"
        "  failing_cases.cc:23: at 3\n"
        "throws\n"
        "  failing_cases.cc:25: threw too much\n"
        "is skipped\n"
        "  skipped: no such thing\n"
        "is skipped too late\n"
        "  failing_cases.cc:30: CHECK(false) is false\n"
        "  skipped: no such thing\n"
        "checks nothing\n"
        "  failing_cases.cc:34: made no check\n"
        "cases: 1 passed, 6 failed, 1 skipped; checks: 6\n"
        "ended with 1");
}

TEST_CASE("a program runs the cases whose names contain a text, and fails when there is none") {
  CHECK(Run("failing_cases", "passes") == "passes\ncases: 1 passed, 0 failed, 0 skipped; checks: 1\nended with 0");
  CHECK(Run("failing_cases", "'is skipped' 2>&1 | head -1").starts_with("is skipped\n"));
  CHECK(Run("failing_cases", "'no name'") ==
        "no such case\ncases: 0 passed, 0 failed, 0 skipped; checks: 0\nended with 1");
  CHECK(Run("failing_cases", "--list").starts_with("passes\nfails twice"));
}

TEST_CASE("integers compare by their values, whatever their types") {
  CHECK_FALSE((Split() <=> -1 == UINT_MAX).holds);
  CHECK((Split() <=> -1 < 0u).holds);
  CHECK((Split() <=> std::atomic<size_t>(3) == 3).holds);
  CHECK((Split() <=> 'x' == 'x').holds);
}

TEST_CASE("values are shown in words of their kinds") {
  enum class Kind : uint8_t { kOne = 1 };
  CHECK(Show(true) == "true");
  CHECK(Show('x') == "'x'");
  CHECK(Show(Kind::kOne) == "1");
  CHECK(Show("text") == "text");
  CHECK(Show(static_cast<const char*>(nullptr)) == "nullptr");
  CHECK(Show(std::optional<int>()) == "nullopt");
  CHECK(Show(std::optional<int>(4)) == "4");
  CHECK(Show(std::vector<uint8_t>{1, 2}) == "2 of {1, 2}");
  CHECK(Show(std::vector<int>(20, 7)).ends_with("7, ...}"));
  CHECK(Show(std::pair(1, 2)) == "{?}");
}

}  // namespace
}  // namespace blk::check
