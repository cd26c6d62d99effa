// main() of every program of unit tests, and what check.h leaves to it.
//
//   PROGRAM [TEXT...]   runs the cases whose name contains one of the texts, or all
//   PROGRAM --list      prints their names
#include "test/support/check.h"

#include <atomic>
#include <cstdio>
#include <cstring>
#include <exception>
#include <mutex>
#include <vector>

namespace blk::check {
namespace {

struct Case {
  Site site;
  const char* name;
  void (*run)();
};

// Thrown by REQUIRE and FAIL, which have reported, and by SKIP.
struct Ended {};
struct Skipped {};

struct Counts {
  size_t passed = 0;
  size_t failed = 0;
  size_t skipped = 0;
};

// In functions, since cases are entered before main().
std::vector<Case>& Cases() {
  static std::vector<Case> cases;
  return cases;
}

std::atomic<size_t> checks{0};
std::atomic<size_t> failures{0};
thread_local const Info* innermost = nullptr;

void Print(const std::string& text) {
  static std::mutex mu;
  std::lock_guard lock(mu);
  std::fputs(text.c_str(), stdout);
  std::fflush(stdout);
}

void Report(Site site, const std::string& what) {
  failures++;
  std::string text = "  " + std::string(site.file) + ":" + std::to_string(site.line) + ": " + what + "\n";
  for (const Info* info = innermost; info != nullptr; info = info->outer()) {
    Text said;
    info->Say(said);
    text += "    with " + said.text() + "\n";
  }
  Print(text);
}

// Nothing that a case throws gets past this.
void RunCase(const Case& test, Counts& counts) {
  Print(std::string(test.name) + "\n");
  const size_t checks_before = checks;
  const size_t failures_before = failures;
  try {
    test.run();
    if (checks == checks_before) Report(test.site, "made no check");
  } catch (const Ended&) {
  } catch (const Skipped&) {
    if (failures == failures_before) {
      counts.skipped++;
      return;
    }
  } catch (const std::exception& error) {
    Report(test.site, std::string("threw ") + error.what());
  } catch (...) {
    Report(test.site, "threw");
  }
  (failures == failures_before ? counts.passed : counts.failed)++;
}

bool IsWanted(const char* name, const std::vector<const char*>& texts) {
  if (texts.empty()) return true;
  for (const char* text : texts) {
    if (std::strstr(name, text) != nullptr) return true;
  }
  return false;
}

}  // namespace

bool Judge(Site site, const char* macro, const char* expression, const Outcome& outcome, bool wanted) {
  checks++;
  if (outcome.holds == wanted) return true;
  std::string what = std::string(macro) + "(" + expression + ")";
  if (!outcome.values.empty()) what += " is " + outcome.values;
  Report(site, what);
  return false;
}

void Demand(Site site, const char* macro, const char* expression, const Outcome& outcome, bool wanted) {
  if (!Judge(site, macro, expression, outcome, wanted)) throw Ended();
}

void Fail(Site site, const Text& text) {
  checks++;
  Report(site, text.text());
  throw Ended();
}

void Skip(const Text& text) {
  Print("  skipped: " + text.text() + "\n");
  throw Skipped();
}

Info::Info() : outer_(innermost) { innermost = this; }
Info::~Info() { innermost = outer_; }

Registered::Registered(Site site, const char* name, void (*run)()) { Cases().push_back({site, name, run}); }

}  // namespace blk::check

int main(int argc, char** argv) {
  using namespace blk::check;
  const std::vector<const char*> texts(argv + 1, argv + argc);
  const bool list = texts.size() == 1 && std::strcmp(texts[0], "--list") == 0;
  Counts counts;
  size_t wanted = 0;
  for (const Case& test : Cases()) {
    if (list) {
      std::puts(test.name);
    } else if (IsWanted(test.name, texts)) {
      wanted++;
      RunCase(test, counts);
    }
  }
  if (list) return 0;
  if (wanted == 0) std::puts("no such case");
  std::printf("cases: %zu passed, %zu failed, %zu skipped; checks: %zu\n", counts.passed, counts.failed, counts.skipped,
              checks.load());
  return wanted > 0 && counts.failed == 0 ? 0 : 1;
}
