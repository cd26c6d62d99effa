#include "core/access/auto_strategy.h"

#include <thread>

#include "test/support/check.h"
#include "test/support/rig.h"
#include "test/support/threads.h"

namespace blk {
namespace {

using test::Call;
using test::kKiB;
using test::kMiB;
using test::Pattern;
using test::ReadPiece;
using test::Rig;
using test::WritePiece;

constexpr uint64_t kBegin = 512;

struct AutoRig : Rig {
  explicit AutoRig(uint32_t window_count = 4)
      : Rig(4 * kMiB, kBegin, 3 * kMiB, true, DiskChannel::Durable::kPerCall),
        table(*channel->windows(), mode(), Geometry(kMiB, window_count)),
        strategy(range, table, *disk) {
    file.Fill();
    host.ClearJournal();
  }
  Piece Read(int64_t blkno, std::vector<uint8_t>& into, bool nowait = false) {
    Piece piece = ReadPiece(blkno, into);
    piece.nowait = nowait;
    // As a thread with a lease of its own: in the shared lane nobody's page faults are followed.
    piece.lane = 0;
    strategy.Submit(piece);
    return piece;
  }
  // Reads [blkno, blkno + size / 512) until its blocks are warm.
  void Warm(int64_t blkno, size_t size) {
    std::vector<uint8_t> back(size);
    for (int i = 0; i < 3; i++) REQUIRE(Read(blkno, back).resid() == 0);
  }

  WindowTable table;
  AutoStrategy strategy;
};

TEST_CASE("the bytes are right on every path, across blocks and windows") {
  for (const uint32_t windows : {4, 2}) {
    AutoRig rig(windows);
    for (const size_t size : {size_t{1}, size_t{512}, 64 * kKiB - 1, 200 * kKiB, 2 * kMiB + 777}) {
      for (const int64_t blkno : {int64_t{0}, int64_t{127}, int64_t{1000}}) {
        for (int i = 0; i < 4; i++) {
          std::vector<uint8_t> back(size);
          INFO("size " << size << " blkno " << blkno << " round " << i);
          REQUIRE(rig.Read(blkno, back).resid() == 0);
          REQUIRE(back == Pattern(kBegin + static_cast<uint64_t>(blkno) * 512, size));
        }
      }
    }
    CHECK(rig.Count(Counter::kWindowHits) > 0);
    CHECK(rig.host.calls(Call::kPread) > 0);
  }
}

TEST_CASE("a cold block is pread's; a warm one is copied, without a call, and counted") {
  AutoRig rig;
  std::vector<uint8_t> back(4096);
  CHECK(rig.Read(1000, back).resid() == 0);
  CHECK(rig.host.calls(Call::kPread) == 1);
  CHECK(rig.Count(Counter::kWindowHits) == 0);
  rig.Warm(1000, 4096);
  const uint64_t preads = rig.host.calls(Call::kPread);
  const uint64_t hits = rig.Count(Counter::kWindowHits);
  CHECK(rig.Read(1000, back).resid() == 0);
  CHECK(rig.host.calls(Call::kPread) == preads);
  CHECK(rig.Count(Counter::kWindowHits) == hits + 1);
  CHECK(rig.Count(Counter::kWindowMisses) == 0);
}

TEST_CASE("neighbouring blocks that are pread's are read in one call") {
  AutoRig rig;
  std::vector<uint8_t> back(512 * kKiB);
  CHECK(rig.Read(1000, back).resid() == 0);
  CHECK(rig.host.calls(Call::kPread) == 1);
}

TEST_CASE("a write is pwrite's, and what was mapped shows it at once") {
  AutoRig rig;
  rig.Warm(1000, 4096);
  const auto bytes = Pattern(0, 4096, 1);
  Piece piece = WritePiece(1000, bytes);
  rig.strategy.Submit(piece);
  CHECK(piece.resid() == 0);
  CHECK(rig.host.calls(Call::kPwrite) == 1);
  std::vector<uint8_t> back(4096);
  const uint64_t preads = rig.host.calls(Call::kPread);
  CHECK(rig.Read(1000, back).resid() == 0);
  CHECK(back == bytes);
  CHECK(rig.host.calls(Call::kPread) == preads);
}

TEST_CASE("B34: a cut-off file gives EIO, with the bytes before the end, and the process lives") {
  AutoRig rig;
  rig.Warm(0, 2 * kMiB);
  rig.file.Truncate(kMiB + 5000);
  std::vector<uint8_t> back(2 * kMiB);
  const Piece piece = rig.Read(0, back);
  CHECK(piece.status.err == EIO);
  CHECK(back.size() - piece.resid() == kMiB + 5000 - kBegin);
  back.resize(back.size() - piece.resid());
  CHECK(back == Pattern(kBegin, back.size()));
}

TEST_CASE("B34: a poisoned window gives no zeros: its requests are pread's") {
  AutoRig rig;
  rig.Warm(1000, 4096);
  rig.file.Truncate(0);
  std::vector<uint8_t> back(4096);
  CHECK(rig.Read(1000, back).status.err == EIO);
  rig.file.Truncate(4 * kMiB);
  rig.file.Fill(2);
  for (int i = 0; i < 3; i++) {
    CHECK(rig.Read(1000, back).resid() == 0);
    CHECK(back == Pattern(kBegin + 512000, 4096, 2));
  }
}

TEST_CASE("a host that maps nothing is a host that is read by pread") {
  Rig base(4 * kMiB, kBegin, 3 * kMiB);
  base.file.Fill();
  base.host.FailAlways(Call::kMmap, ENOMEM);
  WindowTable table(*base.channel->windows(), base.mode(), base.Geometry(kMiB, 4));
  AutoStrategy strategy(base.range, table, *base.disk);
  for (int i = 0; i < 4; i++) {
    std::vector<uint8_t> back(300 * kKiB);
    Piece piece = ReadPiece(7, back);
    strategy.Submit(piece);
    CHECK(piece.resid() == 0);
    CHECK(back == Pattern(kBegin + 7 * 512, back.size()));
  }
  CHECK(base.Count(Counter::kWindowHits) == 0);
}

TEST_CASE("a read that will not wait copies resident pages, or asks the host not to wait") {
  AutoRig rig;
  rig.host.clock = 1000;
  std::vector<uint8_t> back(4096);
  rig.Warm(1000, 4096);
  const uint64_t preads = rig.host.calls(Call::kPread);
  CHECK(rig.Read(1000, back, true).resid() == 0);
  CHECK(back == Pattern(kBegin + 512000, 4096));
  CHECK(rig.host.calls(Call::kMincore) > 0);

  rig.host.clock = 2000;
  rig.host.Fail(Call::kMincore, ENOMEM);
  rig.host.Fail(Call::kPreadNowait, EAGAIN);
  const uint64_t total = rig.Count(Counter::kIoTotal);
  const Piece refused = rig.Read(1000, back, true);
  CHECK(refused.status.err == EAGAIN);
  CHECK(refused.resid() == 4096);
  CHECK(rig.Count(Counter::kIoTotal) == total);
  CHECK(rig.host.calls(Call::kPread) == preads);  // never the call that may wait
}

TEST_CASE("a read that would have waited, and came again, is one read of its block, which two make worth a map") {
  AutoRig rig;
  std::vector<uint8_t> back(4096);
  rig.host.Fail(Call::kPreadNowait, EAGAIN);
  CHECK(rig.Read(1000, back, true).status.err == EAGAIN);
  for (int i = 0; i < 2; i++) CHECK(rig.Read(1000, back).resid() == 0);
  CHECK(rig.host.calls(Call::kPread) == 2);
  CHECK(rig.Read(1000, back).resid() == 0);
  CHECK(rig.host.calls(Call::kPread) == 2);
}

TEST_CASE("a block is mapped behind a pread of it, never by a copy that would wait for its page") {
  AutoRig rig;
  for (const auto& call : rig.host.Journal(Call::kAdvise)) CHECK(call.advice == Advice::kRandom);
  std::vector<uint8_t> back(4096);
  for (int i = 0; i < 2; i++) CHECK(rig.Read(1000, back).resid() == 0);
  CHECK(rig.host.calls(Call::kPread) == 2);
  CHECK(rig.Read(1000, back).resid() == 0);
  CHECK(rig.host.calls(Call::kPread) == 2);
}

TEST_CASE("a sequential reader maps a block when all of it is in memory, and not otherwise") {
  AutoRig rig;
  rig.host.FailAlways(Call::kMincore, ENOMEM);
  std::vector<uint8_t> back(4096);
  for (int64_t i = 0; i < 5; i++) CHECK(rig.Read(1024 + 8 * i, back).resid() == 0);
  CHECK(rig.host.calls(Call::kPread) == 5);
  rig.host.Heal();
  for (int64_t i = 5; i < 10; i++) CHECK(rig.Read(1024 + 8 * i, back).resid() == 0);
  CHECK(rig.host.calls(Call::kPread) == 6);
}

TEST_CASE("a thread that has waited for pages reads by pread again") {
  AutoRig rig;
  rig.Warm(1000, 4096);
  std::vector<uint8_t> back(4096);
  const auto preads_of = [&](int reads) {
    const uint64_t before = rig.host.calls(Call::kPread);
    for (int i = 0; i < reads; i++) CHECK(rig.Read(1000, back).resid() == 0);
    return rig.host.calls(Call::kPread) - before;
  };
  CHECK(preads_of(300) == 0);
  rig.host.major_faults = 1;
  CHECK(preads_of(300) == 1);
}

TEST_CASE("where no read of the host can be kept from waiting, what the windows show to be in memory is read at once") {
  AutoRig rig;
  rig.host.clock = 1000;
  rig.host.FailAlways(Call::kPreadNowait, EOPNOTSUPP);
  std::vector<uint8_t> back(4096);
  for (int i = 0; i < 3; i++) {
    CHECK(rig.Read(1000, back, true).resid() == 0);
    CHECK(back == Pattern(kBegin + 512000, 4096));
  }
  CHECK(rig.host.calls(Call::kPreadNowait) == 1);  // it is asked once
  rig.host.clock = 2000;
  rig.host.FailAlways(Call::kMincore, ENOMEM);
  const uint64_t preads = rig.host.calls(Call::kPread);
  CHECK(rig.Read(1000, back, true).status.err == EOPNOTSUPP);
  CHECK(rig.host.calls(Call::kPread) == preads);
}

TEST_CASE("a piece that is cancelled stops, on the copying path too") {
  AutoRig rig;
  rig.Warm(0, 3 * kMiB);
  std::atomic<bool> cancel{true};
  std::vector<uint8_t> back(3 * kMiB);
  const uint64_t hits = rig.Count(Counter::kWindowHits);
  Piece piece = ReadPiece(0, back);
  piece.cancel = &cancel;
  rig.strategy.Submit(piece);
  CHECK(piece.status.err == ECANCELED);
  CHECK(piece.resid() == back.size());
  CHECK(rig.Count(Counter::kWindowHits) == hits);
}

TEST_CASE("a window that is asked for often takes a slot from one that is not, and is counted") {
  AutoRig rig(2);
  REQUIRE_FALSE(rig.table.covers());
  std::vector<uint8_t> back(4096);
  for (int i = 0; i < 400; i++) {
    REQUIRE(rig.Read(4096 + i % 64, back).resid() == 0);  // in window 2, which shares its slot with window 0
    REQUIRE(back == Pattern(kBegin + 2 * kMiB + static_cast<uint64_t>(i % 64) * 512, 4096));
  }
  CHECK(rig.Count(Counter::kWindowMisses) == 1);
  CHECK(rig.Count(Counter::kWindowHits) > 0);
  CHECK(rig.table.List()[0].offset.value == 2 * kMiB);
}

TEST_CASE("a piece that is expected changes nothing, also over a file that was cut") {
  for (const uint32_t windows : {4, 2}) {
    AutoRig rig(windows);
    rig.Warm(0, 64 * kKiB);
    std::vector<uint8_t> back(8192, 0x5a);
    const std::vector<uint8_t> untouched = back;
    const auto counts = rig.counters.Snapshot();
    const uint64_t preads = rig.host.calls(Call::kPread);
    rig.file.Truncate(0);
    const int64_t last = static_cast<int64_t>(rig.range.size / kDevBsize);
    for (const int64_t blkno : {int64_t{0}, last / 2, last - 16}) {
      rig.strategy.Expect(ReadPiece(blkno, back));
      rig.strategy.Expect(WritePiece(blkno, back));
    }
    CHECK(back == untouched);
    CHECK(rig.counters.Snapshot() == counts);
    CHECK(rig.host.calls(Call::kPread) == preads);
    for (const WindowInfo& window : rig.table.List()) CHECK(window.refs == 0);
  }
}

TEST_CASE("readers while windows change places see their own bytes") {
  test::Watchdog watchdog("auto threads");
  AutoRig rig(2);
  std::atomic<uint64_t> wrong{0};
  test::RunTogether(3, [&](size_t index) {
    std::vector<uint8_t> back(8192);
    for (uint64_t i = 0; i < 3000; i++) {
      // Bursts on one window, then on the other that wants its slot.
      const uint64_t blkno = (i / 300 % 2) * 4096 + (i * (index + 1)) % 200;
      Piece piece = ReadPiece(static_cast<int64_t>(blkno), back);
      piece.lane = static_cast<Lane>(index);
      rig.strategy.Submit(piece);
      wrong += piece.resid() != 0 || back != Pattern(kBegin + blkno * 512, back.size());
    }
  });
  CHECK(wrong == 0);
  CHECK(rig.Count(Counter::kIoTotal) == 9000);
}

}  // namespace
}  // namespace blk
