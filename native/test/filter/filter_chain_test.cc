#include "core/filter/filter_chain.h"

#include <string>
#include <vector>

#include "core/filter/guard_filter.h"
#include "core/request/physio.h"
#include "core/request/plan.h"
#include "test/support/check.h"

namespace blk {
namespace {

// The strategy behind a chain. Notes what reaches it.
struct Path final : Strategy {
  void Submit(Piece& piece) override {
    log.push_back(piece.position);
    Biodone(piece, piece.size, Status::Ok());
  }
  void Expect(const Piece& piece) override { expected.push_back(piece.position); }
  std::vector<uint64_t> log, expected;
};

// Writes its name into a log whenever it is asked, and stops or refuses with an errno of its own when told to.
struct Noting final : Filter {
  Noting(std::string called, std::vector<std::string>& into) : name(std::move(called)), log(into) {}
  FilterTraits traits() const override { return asked; }
  void Admit(Request& request) override {
    log.push_back("admit " + name);
    if (stops != 0) request.plan.StopAt(0, {{stops, Op::kStrategy}, this});
  }
  void Stopped(const Request&) override { log.push_back("stopped " + name); }
  Status Refuses(const Piece&) override {
    log.push_back("refuses " + name);
    return {refuses, Op::kStrategy};
  }

  const std::string name;
  std::vector<std::string>& log;
  FilterTraits asked{true, true};
  int stops = 0, refuses = 0;
};

struct ChainRig {
  Request Run(Strategy& entry, Operation operation = Operation::kWrite, int64_t position = 0) {
    DeviceRange range;
    range.size = memory.size();
    range.writable = true;
    Request request;
    request.operation = operation;
    request.position = position;
    request.data = memory.data();
    request.length = 512;
    PlanRequest(request, range);
    entry.Admit(request);
    RunRequest(entry, request);
    return request;
  }

  std::vector<uint8_t> memory = std::vector<uint8_t>(8192);
  Path path;
  std::vector<std::string> log;
  Noting inner{"inner", log}, outer{"outer", log};
};

TEST_CASE("without a filter in force requests go to the strategy itself, which wants nothing") {
  ChainRig rig;
  FilterChain chain(rig.path, {{&rig.inner, true}, {&rig.outer, true}});
  CHECK(&chain.entry() == &rig.path);
  CHECK(&FilterChain(rig.path, {}).entry() == &rig.path);
  CHECK_FALSE(chain.entry().filters().needs_each_request);
  CHECK_FALSE(chain.entry().filters().may_refuse_pieces);
  CHECK(chain.Switch(rig.inner, true).ok());
  CHECK_FALSE(&chain.entry() == &rig.path);
  CHECK(chain.Switch(rig.inner, false).ok());
  CHECK(&chain.entry() == &rig.path);
}

TEST_CASE("requests are admitted from the inside to the outside, pieces pass from the outside to the inside") {
  ChainRig rig;
  const FilterChain chain(rig.path, {{&rig.inner}, {&rig.outer}});
  CHECK(rig.Run(chain.entry()).moved == 512);
  CHECK(rig.log == std::vector<std::string>{"admit inner", "admit outer", "refuses outer", "refuses inner"});
  CHECK(rig.path.log == std::vector<uint64_t>{0});
}

TEST_CASE("of two that stop the same piece the outer one counts, and hears of it") {
  ChainRig rig;
  const FilterChain chain(rig.path, {{&rig.inner}, {&rig.outer}});
  rig.inner.stops = EROFS;
  rig.outer.stops = EIO;
  const Request request = rig.Run(chain.entry());
  CHECK(request.status.err == EIO);
  CHECK(request.injected);
  CHECK(rig.log == std::vector<std::string>{"admit inner", "admit outer", "stopped outer"});
  CHECK(rig.path.log.empty());
}

TEST_CASE("a piece that is refused moves nothing, and goes no further") {
  ChainRig rig;
  const FilterChain chain(rig.path, {{&rig.inner}, {&rig.outer}});
  rig.outer.refuses = ENOSPC;
  rig.inner.refuses = EROFS;
  const Request request = rig.Run(chain.entry());
  CHECK(request.status.err == ENOSPC);
  CHECK(request.moved == 0);
  CHECK(rig.log.back() == "refuses outer");
  CHECK(rig.path.log.empty());
}

TEST_CASE("a chain wants what any filter in force wants, and asks those alone that may refuse") {
  ChainRig rig;
  rig.inner.asked = {false, true};
  rig.outer.asked = {true, false};
  FilterChain chain(rig.path, {{&rig.inner, true}, {&rig.outer, true}});
  CHECK(chain.Switch(rig.inner, true).ok());
  CHECK_FALSE(chain.entry().filters().needs_each_request);
  CHECK(chain.entry().filters().may_refuse_pieces);
  CHECK(chain.Switch(rig.outer, true).ok());
  CHECK(chain.entry().filters().needs_each_request);
  CHECK(chain.entry().filters().may_refuse_pieces);
  rig.Run(chain.entry());
  CHECK(rig.log == std::vector<std::string>{"admit inner", "admit outer", "refuses inner"});
  CHECK(chain.Switch(rig.inner, false).ok());
  CHECK(chain.entry().filters().needs_each_request);
  CHECK_FALSE(chain.entry().filters().may_refuse_pieces);
  rig.log.clear();
  rig.Run(chain.entry());
  CHECK(rig.log == std::vector<std::string>{"admit outer"});
}

TEST_CASE("a request goes on through what it was admitted to, whatever is switched meanwhile") {
  ChainRig rig;
  FilterChain chain(rig.path, {{&rig.outer, true}});
  CHECK(chain.Switch(rig.outer, true).ok());
  Strategy& before = chain.entry();
  CHECK(chain.Switch(rig.outer, false).ok());
  rig.Run(before);
  CHECK(rig.log == std::vector<std::string>{"admit outer", "refuses outer"});
}

TEST_CASE("a piece that is started is finished once, refused or not") {
  ChainRig rig;
  const FilterChain chain(rig.path, {{&rig.inner}});
  for (const int why : {0, EROFS}) {
    rig.inner.refuses = why;
    int finished = 0;
    StartedPiece piece;
    piece.size = 512;
    piece.owner = &finished;
    piece.finish = [](StartedPiece& done) { ++*static_cast<int*>(done.owner); };
    chain.entry().Start(piece);
    CHECK(finished == 1);
    CHECK(piece.status.err == why);
    CHECK(piece.moved == (why == 0 ? 512u : 0u));
  }
  CHECK(rig.path.log.size() == 1);
}

TEST_CASE("hints pass a chain") {
  ChainRig rig;
  const FilterChain chain(rig.path, {{&rig.inner}});
  Piece piece;
  piece.position = 1024;
  chain.entry().Expect(piece);
  CHECK(rig.path.expected == std::vector<uint64_t>{1024});
}

TEST_CASE("a guard refuses what would change its ranges, and its pieces too when nobody has admitted them") {
  ChainRig rig;
  GuardFilter guard({0}, {{{1024}, {2048}}}, nullptr);
  const FilterChain chain(rig.path, {{&guard}});
  CHECK_FALSE(chain.entry().filters().needs_each_request);
  CHECK(chain.entry().filters().may_refuse_pieces);
  const struct {
    int64_t position;
    bool guarded;
  } cases[] = {{0, false}, {512, false}, {513, true}, {1024, true}, {2047, true}, {2048, false}};
  for (const auto& c : cases) {
    INFO("position " << c.position);
    rig.path.log.clear();
    CHECK(rig.Run(chain.entry(), Operation::kWrite, c.position).status.err == (c.guarded ? EROFS : 0));
    Piece piece;
    piece.operation = Operation::kWrite;
    piece.position = static_cast<uint64_t>(c.position);
    piece.size = 512;
    piece.data = rig.memory.data();
    chain.entry().Submit(piece);
    CHECK(piece.status.err == (c.guarded ? EROFS : 0));
    CHECK(rig.path.log.size() == (c.guarded ? 0u : 2u));
    CHECK(rig.Run(chain.entry(), Operation::kRead, c.position).moved == 512);
  }
}

}  // namespace
}  // namespace blk
