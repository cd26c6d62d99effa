#include "core/base/status.h"

#include <cstring>
#include <memory>
#include <set>
#include <string>

#include "test/support/check.h"

namespace blk {
namespace {

TEST_CASE("every operation has a word of its own") {
  std::set<std::string> words;
  for (int op = 0; op < static_cast<int>(Op::kCount); op++) {
    const char* word = OpName(static_cast<Op>(op));
    INFO(word);
    CHECK(std::strcmp(word, "unknown") != 0);
    CHECK(words.insert(word).second);
  }
  CHECK(std::strcmp(OpName(Op::kCount), "unknown") == 0);
  CHECK(std::strcmp(OpName(Op::kFdatasync), "fdatasync") == 0);
}

TEST_CASE("a status is ok exactly when its errno is 0") {
  CHECK(Status{}.ok());
  CHECK(Status::Ok().ok());
  const Status failed{EIO, Op::kPread};
  CHECK_FALSE(failed.ok());
}

TEST_CASE("a result holds a value or the reason of its absence") {
  Result<int> value(7);
  CHECK(value.ok());
  CHECK(value.value() == 7);
  CHECK(value.status().ok());

  Result<int> failed(Status{ENOSPC, Op::kPwrite});
  CHECK_FALSE(failed.ok());
  CHECK(failed.status().err == ENOSPC);
  CHECK(failed.status().op == Op::kPwrite);
}

TEST_CASE("a result hands on a move-only value") {
  Result<std::unique_ptr<int>> result(std::make_unique<int>(3));
  std::unique_ptr<int> taken = result.Take();
  REQUIRE(taken);
  CHECK(*taken == 3);
  CHECK(result.value() == nullptr);
}

}  // namespace
}  // namespace blk
