// WaitEstimate, and what a channel of a host file does by it: reads that must not wait, and would.
#include "core/medium/wait_estimate.h"

#include <cerrno>
#include <memory>
#include <vector>

#include "core/base/waiting_threads.h"
#include "core/host/host_engine.h"
#include "core/medium/host_channel.h"
#include "core/medium/host_medium.h"
#include "test/support/check.h"
#include "test/support/fake_host.h"
#include "test/support/temp_file.h"

namespace blk {
namespace {

using test::Call;
using test::FakeHost;
using test::Pattern;
using test::TempFile;

constexpr unsigned kInARow = WaitEstimate::kInARow;
constexpr unsigned kTried = WaitEstimate::kTried;

// How many of the next reads are tried, all of which have to wait.
unsigned Tried(WaitEstimate& estimate, unsigned reads) {
  unsigned tried = 0;
  for (unsigned i = 0; i < reads; i++) {
    if (estimate.AssumesWaiting()) continue;
    estimate.Record(true);
    tried++;
  }
  return tried;
}

TEST_CASE("every read is tried until so many in a row had to wait, then one of so many") {
  WaitEstimate estimate;
  CHECK(Tried(estimate, kInARow) == kInARow);
  CHECK(Tried(estimate, 10 * kTried) == 10);
}

TEST_CASE("the first that need not wait ends that, and the count begins anew") {
  WaitEstimate estimate;
  CHECK(Tried(estimate, kInARow) == kInARow);
  estimate.Record(false);
  CHECK_FALSE(estimate.AssumesWaiting());
  CHECK(Tried(estimate, kInARow) == kInARow);
  estimate.Record(false);
  for (unsigned i = 0; i < 10 * kInARow; i++) {
    CHECK_FALSE(estimate.AssumesWaiting());
    estimate.Record(i % kInARow != 0);
  }
}

// Is there, or is not, and takes nothing.
class Idle final : public HostEngine, private WaitingThreads {
 public:
  explicit Idle(bool ready) : ready_(ready) {}
  bool Ready() override { return asked++, ready_; }
  bool Put(HostLine&, HostTransfer&) override { return false; }
  void Stop() override {}
  WaitingThreads& threads() override { return *this; }

  unsigned asked = 0;

 private:
  bool Run(void (*)(void*), void*) override { return false; }
  const bool ready_;
};

struct Rig {
  TempFile file{65536};
  FakeHost host;
  std::shared_ptr<Idle> engine;
  std::unique_ptr<HostMedium> medium;
  std::unique_ptr<Channel> channel;
  std::vector<uint8_t> bytes = std::vector<uint8_t>(512);

  explicit Rig(bool ready) {
    file.Write(0, Pattern(0, 65536));
    engine = std::make_shared<Idle>(ready);
    medium = HostMedium::Create(host, file.path(), engine).Take();
    channel = medium->Attach({}).Take();
  }
  ~Rig() {
    channel.reset();
    static_cast<void>(medium->Detach({}));
  }
  // -> how often the host was asked. All of them answer the same.
  uint64_t Read(unsigned reads, int err) {
    const uint64_t before = host.calls(Call::kPreadNowait);
    for (unsigned i = 0; i < reads; i++)
      CHECK(channel->Read({512}, bytes.data(), 512, {false, true}).status.err == err);
    return host.calls(Call::kPreadNowait) - before;
  }
};

TEST_CASE("with an engine the host is hardly asked for what is not in memory, and asked again when some is") {
  Rig rig(true);
  rig.host.FailAlways(Call::kPreadNowait, EAGAIN);
  CHECK(rig.Read(kInARow, EAGAIN) == kInARow);
  CHECK(rig.Read(10 * kTried, EAGAIN) == 10);
  rig.host.Heal();
  // Up to the one that is tried it is taken to have to wait.
  CHECK(rig.Read(kTried - 1, EAGAIN) == 0);
  CHECK(rig.Read(100, 0) == 100);
  CHECK(rig.bytes == Pattern(512, 512));
}

TEST_CASE("reads of what is in memory make no engine") {
  Rig rig(true);
  CHECK(rig.Read(100, 0) == 100);
  rig.host.Fail(Call::kPreadNowait, EAGAIN);
  CHECK(rig.Read(1, EAGAIN) == 1);
  CHECK(rig.Read(100, 0) == 100);
  CHECK(rig.engine->asked == 0);
}

TEST_CASE("without an engine the host is asked every time: what it begins to read is under way when a worker comes") {
  Rig rig(false);
  rig.host.FailAlways(Call::kPreadNowait, EAGAIN);
  CHECK(rig.Read(100, EAGAIN) == 100);
}

TEST_CASE("a read that may wait asks as ever") {
  Rig rig(true);
  rig.host.FailAlways(Call::kPreadNowait, EAGAIN);
  CHECK(rig.Read(2 * kInARow, EAGAIN) < 2 * kInARow);
  CHECK(rig.channel->Read({512}, rig.bytes.data(), 512, {}).bytes == 512);
  CHECK(rig.bytes == Pattern(512, 512));
}

}  // namespace
}  // namespace blk
