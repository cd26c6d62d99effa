// HostChannel::Start(): loops over what the engine does, and what it does not do goes to threads that may wait.
#include <algorithm>
#include <atomic>
#include <cerrno>
#include <memory>
#include <utility>
#include <vector>

#include "core/base/waiting_threads.h"
#include "core/host/host_engine.h"
#include "core/medium/host_channel.h"
#include "core/medium/host_medium.h"
#include "test/support/check.h"
#include "test/support/temp_file.h"

namespace blk {
namespace {

using test::Pattern;
using test::TempFile;

constexpr size_t kSize = 4 << 20;

// Transfers are put down, and answered by the test.
class ByHand final : public HostEngine, private WaitingThreads {
 public:
  bool Ready() override { return ready; }
  bool Put(HostLine&, HostTransfer& transfer) override {
    if (!takes) return false;
    put.push_back(&transfer);
    return true;
  }
  void Stop() override {}
  WaitingThreads& threads() override { return *this; }

  // Answers the oldest one.
  void Answer(int64_t answer) {
    HostTransfer& transfer = *put.front();
    put.erase(put.begin());
    transfer.done(transfer, answer);
  }
  // Does it as the host would, up to `most` bytes.
  void Do(size_t most = kSize) {
    const HostTransfer& transfer = *put.front();
    Answer(PosixHostIo().Pread(transfer.fd, transfer.data, std::min(transfer.size, most), transfer.offset));
  }

  bool ready = true;
  bool takes = true;
  bool has_threads = true;
  std::vector<HostTransfer*> put;
  std::vector<std::pair<void (*)(void*), void*>> given;  // to threads

 private:
  bool Run(void (*work)(void*), void* owner) override {
    if (has_threads) given.emplace_back(work, owner);
    return has_threads;
  }
};

struct Started {
  StartedMove move;
  std::vector<uint8_t> bytes;
  int times = 0;
  Moved moved;

  void Begin(Channel& channel, uint64_t at, size_t size) {
    bytes.assign(size, 0xee);
    move.at = {at};
    move.data = bytes.data();
    move.size = size;
    move.owner = this;
    move.finish = [](StartedMove& done, const Moved& moved) {
      Started& started = *static_cast<Started*>(done.owner);
      started.moved = moved;
      started.times++;
    };
    channel.Start(move);
  }
};

struct Rig {
  TempFile file{kSize};
  std::shared_ptr<ByHand> engine = std::make_shared<ByHand>();
  std::unique_ptr<HostMedium> medium;
  Attachment attachment;
  std::unique_ptr<Channel> channel;

  explicit Rig(bool write = false, bool direct = false) {
    file.Write(0, Pattern(0, kSize));
    medium = HostMedium::Create(PosixHostIo(), file.path(), engine).Take();
    attachment.write = write;
    attachment.direct = direct;
    channel = medium->Attach(attachment).Take();
  }
  ~Rig() {
    channel.reset();
    static_cast<void>(medium->Detach(attachment));
  }
};

TEST_CASE("host start: a read goes on behind short answers and signals, segment by segment") {
  Rig rig;
  CHECK(rig.channel->starts(StartedMove::Kind::kRead));
  Started read;
  constexpr size_t kBytes = 2 * kSegmentSize + 512;
  read.Begin(*rig.channel, 512, kBytes);
  size_t calls = 0;
  for (; read.times == 0; calls++) {
    REQUIRE(rig.engine->put.size() == 1);
    CHECK(rig.engine->put[0]->size <= kSegmentSize);
    if (calls % 3 == 0)
      rig.engine->Answer(-EINTR);
    else
      rig.engine->Do(300 * 1024 + 1);
  }
  CHECK(calls > 8);
  CHECK(read.times == 1);
  CHECK(read.moved.status.ok());
  CHECK(read.moved.bytes == kBytes);
  CHECK(read.bytes == Pattern(512, kBytes));
  CHECK(rig.engine->given.empty());
}

TEST_CASE("host start: what the engine has not done is done by a thread that waits, or on the spot where none is") {
  for (const int err : {ECANCELED, EAGAIN, EINVAL, EOPNOTSUPP, ENOSYS, EPERM, ENOMEM}) {
    for (const bool has_threads : {true, false}) {
      Rig rig;
      rig.engine->has_threads = has_threads;
      Started read;
      read.Begin(*rig.channel, 4096, 8192);
      rig.engine->Do(4096);
      CHECK(read.times == 0);
      rig.engine->Answer(-err);
      CHECK(rig.engine->given.size() == (has_threads ? 1u : 0u));
      CHECK(read.times == (has_threads ? 0 : 1));
      for (const auto& [work, owner] : rig.engine->given) work(owner);
      CHECK(read.times == 1);
      CHECK(read.moved.bytes == 8192);
      CHECK(read.moved.status.ok());
      CHECK(read.bytes == Pattern(4096, 8192));
    }
  }
}

TEST_CASE("host start: the medium's own errors, and the end of the file, are told as a read would tell them") {
  Rig rig;
  Started failed, ended;
  failed.Begin(*rig.channel, 0, 8192);
  rig.engine->Do(4096);
  rig.engine->Answer(-EIO);
  CHECK(failed.moved.bytes == 4096);
  CHECK(failed.moved.status.err == EIO);
  ended.Begin(*rig.channel, kSize - 512, 1024);
  rig.engine->Do();
  rig.engine->Do();
  CHECK(ended.moved.bytes == 512);
  CHECK(ended.moved.status.err == EIO);
}

TEST_CASE("host start: a daemon that answers nothing but EINTR does not hold its caller for ever") {
  Rig rig;
  Started read;
  read.Begin(*rig.channel, 0, 512);
  for (size_t i = 0; read.times == 0; i++) {
    REQUIRE(i < 2000);
    rig.engine->Answer(-EINTR);
  }
  CHECK(read.moved.status.err == EINTR);
}

TEST_CASE("host start: one that is called off ends before its next segment") {
  Rig rig;
  std::atomic<bool> cancel{false};
  Started read, late;
  read.move.rules.cancel = late.move.rules.cancel = &cancel;
  read.Begin(*rig.channel, 0, 2 * kSegmentSize);
  cancel = true;
  rig.engine->Do();
  CHECK(read.moved.bytes == kSegmentSize);
  CHECK(read.moved.status.err == ECANCELED);
  late.Begin(*rig.channel, 0, 512);
  CHECK(late.moved.status.err == ECANCELED);
  CHECK(rig.engine->put.empty());
}

TEST_CASE("host start: without an engine, or behind its end, it is done in place") {
  for (const bool ready : {true, false}) {
    Rig rig;
    rig.engine->ready = ready;
    rig.engine->takes = false;
    Started read;
    read.Begin(*rig.channel, 512, 512);
    CHECK(read.times == 1);
    CHECK(read.bytes == Pattern(512, 512));
  }
}

TEST_CASE("host start: writes into the page cache, and durable ones, are nobody's but a thread's") {
  Rig rig(true);
  StartedMove write;
  write.kind = StartedMove::Kind::kWrite;
  alignas(4096) static uint8_t memory[4096];
  write.data = memory;
  write.size = sizeof memory;
  CHECK_FALSE(rig.channel->Starts(write));
  write.kind = StartedMove::Kind::kRead;
  CHECK(rig.channel->Starts(write));
}

TEST_CASE("host start: past the page cache what fits its grid is started, reads and writes") {
  Rig rig(true, true);
  auto* const channel = static_cast<HostChannel*>(rig.channel.get());
  if (!channel->file().HasDirect()) SKIP("no O_DIRECT here");
  alignas(4096) static uint8_t memory[8192];
  StartedMove move;
  move.data = memory;
  move.size = 4096;
  for (const auto kind : {StartedMove::Kind::kRead, StartedMove::Kind::kWrite}) {
    move.kind = kind;
    move.data = memory;
    move.at = {4096};
    move.rules.durable = false;
    CHECK(channel->Starts(move));
    move.rules.durable = kind == StartedMove::Kind::kWrite;
    CHECK(channel->Starts(move) != move.rules.durable);
    move.rules.durable = false;
    move.at = {4097};
    CHECK_FALSE(channel->Starts(move));
    move.at = {4096};
    move.data = memory + 1;
    CHECK_FALSE(channel->Starts(move));
  }
}

}  // namespace
}  // namespace blk
