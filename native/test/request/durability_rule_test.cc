#include "core/request/durability.h"

#include "test/support/check.h"

namespace blk {
namespace {

TEST_CASE("a write is durable by cache mode and fua; under unsafe nothing is, and a read never") {
  const struct {
    CacheMode cache;
    bool by_mode, off, on;
  } cases[] = {{CacheMode::kWritethrough, true, false, true},
               {CacheMode::kWriteback, false, false, true},
               {CacheMode::kUnsafe, false, false, false}};
  for (const auto& c : cases) {
    const DurabilityRule rule(c.cache);
    INFO("cache mode " << static_cast<int>(c.cache));
    CHECK(rule.IsDurable(Operation::kWrite, Fua::kByCacheMode) == c.by_mode);
    CHECK(rule.IsDurable(Operation::kWrite, Fua::kOff) == c.off);
    CHECK(rule.IsDurable(Operation::kWrite, Fua::kOn) == c.on);
    CHECK(rule.IsDurable(Operation::kWrite, FuaOfBuf(false)) == c.on);
    CHECK_FALSE(rule.IsDurable(Operation::kWrite, FuaOfBuf(true)));
    for (const Fua fua : {Fua::kByCacheMode, Fua::kOff, Fua::kOn}) CHECK_FALSE(rule.IsDurable(Operation::kRead, fua));
    CHECK(rule.flushes() == (c.cache != CacheMode::kUnsafe));
  }
}

}  // namespace
}  // namespace blk
