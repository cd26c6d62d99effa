#include "core/access/pio_strategy.h"

#include "test/support/check.h"
#include "test/support/rig.h"

namespace blk {
namespace {

using test::Call;
using test::kMiB;
using test::Pattern;
using test::ReadPiece;
using test::Rig;
using test::WritePiece;

struct PioRig : Rig {
  explicit PioRig(DiskChannel::Durable durable = DiskChannel::Durable::kBySync)
      : Rig(2 * kMiB, 4096, kMiB, true, durable), pio(range, *disk) {
    file.Fill();
  }
  Piece Write(const std::vector<uint8_t>& bytes, bool is_durable) {
    Piece piece = WritePiece(2, bytes, is_durable);
    pio.Submit(piece);
    return piece;
  }
  // A sync would reach the host now.
  bool Dirty() {
    bool reached = false;
    static_cast<void>(flush.Sync([] { return Status::Ok(); }, &reached));
    return reached;
  }
  PioStrategy pio;
};

TEST_CASE("reads and writes by one call each, at the medium offset") {
  PioRig rig;
  std::vector<uint8_t> back(1024);
  Piece piece = ReadPiece(2, back);
  rig.pio.Submit(piece);
  CHECK(piece.status.ok());
  CHECK(piece.resid() == 0);
  CHECK(back == Pattern(4096 + 1024, 1024));
  const auto other = Pattern(0, 1024, 1);
  CHECK(rig.Write(other, false).resid() == 0);
  CHECK(rig.file.Read(4096 + 1024, 1024) == other);
  CHECK(rig.host.calls(Call::kPread) == 1);
  CHECK(rig.host.calls(Call::kPwrite) == 1);
  CHECK(rig.host.calls(Call::kFdatasync) == 0);
}

TEST_CASE("a read leaves nothing dirty, a write does, a sync ends that") {
  PioRig rig;
  std::vector<uint8_t> bytes(512);
  Piece piece = ReadPiece(0, bytes);
  rig.pio.Submit(piece);
  CHECK(rig.disk->Sync(0).ok());
  CHECK(rig.host.calls(Call::kFdatasync) == 0);
  rig.Write(bytes, false);
  CHECK(rig.disk->Sync(0).ok());
  CHECK(rig.disk->Sync(0).ok());
  CHECK(rig.host.calls(Call::kFdatasync) == 1);
  CHECK(rig.Count(Counter::kFlushes) == 1);
}

TEST_CASE("issue 13: the last part of a durable write syncs them all, and so does the one that meets the end") {
  for (const auto durable : {DiskChannel::Durable::kBySync, DiskChannel::Durable::kPerCall}) {
    PioRig rig(durable);
    Request request;
    const auto begin = [&](int64_t position) {
      request = Request();
      request.operation = Operation::kWrite;
      request.position = position;
      request.length = 3 * kPartGrid;
      request.durable = true;
      PlanRequest(request, rig.range);
    };
    auto bytes = Pattern(0, kPartGrid, 1);
    const auto part = [&]() {
      RunPart(rig.pio, request, bytes.data(), kPartGrid);
      CHECK(request.status.ok());
      return rig.host.calls(Call::kFdatasync);
    };
    begin(0);
    CHECK(part() == 0);
    CHECK(part() == 0);
    CHECK(part() == 1);
    CHECK_FALSE(rig.Dirty());
    begin(static_cast<int64_t>(rig.range.size - 2 * kPartGrid));
    CHECK(part() == 1);
    CHECK(part() == 2);  // the device ends here, the request does not
    CHECK(request.moved == 2 * kPartGrid);
    CHECK_FALSE(rig.Dirty());
    CHECK(rig.host.calls(Call::kPwriteDurable) == 0);
    CHECK(rig.Count(Counter::kIoTotal) == 2);
  }
}

TEST_CASE("B20: a durable write is synced before it completes") {
  PioRig rig;
  const auto bytes = Pattern(0, 512, 1);
  rig.host.ClearJournal();
  CHECK(rig.Write(bytes, true).status.ok());
  const auto journal = rig.host.Journal();
  REQUIRE(journal.size() == 2);
  CHECK(journal[0].call == Call::kPwrite);
  CHECK(journal[1].call == Call::kFdatasync);
  CHECK(rig.Count(Counter::kFlushes) == 1);
  CHECK_FALSE(rig.Dirty());
}

TEST_CASE("B20, B40: a sync that fails is the write's error and sticks") {
  PioRig rig;
  const auto bytes = Pattern(0, 512, 1);
  rig.host.Fail(Call::kFdatasync, EIO);
  const Piece piece = rig.Write(bytes, true);
  CHECK(piece.status.err == EIO);
  CHECK(piece.status.op == Op::kFdatasync);
  CHECK(rig.disk->Sync(0).err == EIO);
  CHECK(rig.Write(bytes, true).status.err == EIO);
  CHECK(rig.host.calls(Call::kFdatasync) == 1);
  CHECK(rig.Write(bytes, false).status.ok());
}

TEST_CASE("a write that fails half way leaves dirty what moved") {
  PioRig rig;
  const auto bytes = Pattern(0, 2000, 1);
  rig.host.Shorten(1000);
  rig.host.Fail(Call::kPwrite, ENOSPC, 1);
  const Piece piece = rig.Write(bytes, true);
  CHECK(piece.status.err == ENOSPC);
  CHECK(piece.status.op == Op::kPwrite);
  CHECK(piece.resid() == 1000);
  CHECK(rig.host.calls(Call::kFdatasync) == 0);
  CHECK(rig.flush.sticky().ok());
  CHECK(rig.Dirty());
  rig.host.Fail(Call::kPwrite, ENOSPC);
  CHECK(rig.Write(bytes, true).resid() == 2000);
  CHECK_FALSE(rig.Dirty());
}

TEST_CASE("a cancelled piece says how far it came") {
  PioRig rig;
  std::atomic<bool> cancel{true};
  std::vector<uint8_t> back(512);
  Piece piece = ReadPiece(0, back);
  piece.cancel = &cancel;
  rig.pio.Submit(piece);
  CHECK(piece.status.err == ECANCELED);
  CHECK(piece.resid() == 512);
  CHECK(rig.host.calls(Call::kPread) == 0);
}

TEST_CASE("a read that will not wait reads from memory alone, or says uncounted why not") {
  for (const int err : {EAGAIN, EOPNOTSUPP}) {
    PioRig rig;
    std::vector<uint8_t> back(512);
    Piece piece = ReadPiece(0, back);
    piece.nowait = true;
    rig.host.Fail(Call::kPreadNowait, err);
    rig.pio.Submit(piece);
    CHECK(piece.status.err == err);
    CHECK(piece.resid() == 512);
    CHECK(rig.Count(Counter::kIoTotal) == 0);
    CHECK(rig.host.calls(Call::kPread) == 0);
  }
}

// ---- durable by the host's own call

constexpr auto kPerCall = DiskChannel::Durable::kPerCall;

// A host with and without RWF_DSYNC look alike from here on: these say which one they are.
bool HasDurableCall() {
  PioRig rig(kPerCall);
  rig.Write(Pattern(0, 512), true);
  return rig.host.calls(Call::kFdatasync) == 0;
}

TEST_CASE("B45: a durable write is one call, and leaves alone what else is dirty") {
  if (!HasDurableCall()) SKIP("the host has no durable write call");
  PioRig rig(kPerCall);
  const auto bytes = Pattern(0, 1024, 1);
  rig.Write(Pattern(0, 512), false);
  rig.host.ClearJournal();
  CHECK(rig.Write(bytes, true).resid() == 0);
  CHECK(rig.host.Journal().size() == 1);
  CHECK(rig.host.Journal()[0].call == Call::kPwriteDurable);
  CHECK(rig.file.Read(4096 + 1024, 1024) == bytes);
  CHECK(rig.Count(Counter::kFlushes) == 1);
  CHECK(rig.Dirty());
}

TEST_CASE("a host without the call is served by pwrite and fdatasync, and asked once") {
  for (const int err : {EOPNOTSUPP, ENOSYS, EINVAL, EPERM, EACCES}) {
    PioRig rig(kPerCall);
    const auto bytes = Pattern(0, 1024, 1);
    rig.host.Fail(Call::kPwriteDurable, err);
    CHECK(rig.Write(bytes, true).resid() == 0);
    CHECK(rig.Write(bytes, true).status.ok());
    CHECK(rig.file.Read(4096 + 1024, 1024) == bytes);
    CHECK(rig.host.calls(Call::kPwriteDurable) == 1);
    CHECK(rig.host.calls(Call::kPwrite) == 2);
    CHECK(rig.host.calls(Call::kFdatasync) == 2);
    CHECK(rig.Count(Counter::kFlushes) == 2);
    CHECK_FALSE(rig.Dirty());
  }
}

TEST_CASE("a host that permits no write at all says so of the write, and may permit it later") {
  PioRig rig(kPerCall);
  const auto bytes = Pattern(0, 512, 1);
  rig.host.Fail(Call::kPwriteDurable, EPERM);
  rig.host.Fail(Call::kPwrite, EPERM);
  const Piece refused = rig.Write(bytes, true);
  CHECK(refused.status.err == EPERM);
  CHECK(refused.status.op == Op::kPwrite);
  CHECK(rig.flush.sticky().ok());
  CHECK(rig.Write(bytes, true).status.ok());
  CHECK(rig.host.calls(Call::kPwriteDurable) == 2);
}

TEST_CASE("a durable write that is interrupted without end fails, and what it moved stays dirty") {
  PioRig rig(kPerCall);
  const auto bytes = Pattern(0, 512, 1);
  rig.host.FailAlways(Call::kPwriteDurable, EINTR);
  CHECK(rig.Write(bytes, true).status.err == EINTR);
  CHECK(rig.flush.sticky().ok());
  CHECK(rig.Dirty());
  rig.host.Heal();
  CHECK(rig.disk->Sync(0).ok());
  CHECK(rig.Write(bytes, true).status.ok());
}

TEST_CASE("EIO of a durable write sticks") {
  PioRig rig(kPerCall);
  const auto bytes = Pattern(0, 512, 1);
  rig.host.Fail(Call::kPwriteDurable, EIO);
  CHECK(rig.Write(bytes, true).status.err == EIO);
  CHECK(rig.flush.sticky().err == EIO);
  CHECK(rig.disk->Sync(0).err == EIO);
  CHECK(rig.host.calls(Call::kPwrite) == 0);
}

TEST_CASE("a full disk is told by the write, not by the sync, and does not stick") {
  PioRig rig(kPerCall);
  const auto bytes = Pattern(0, 512, 1);
  rig.host.Fail(Call::kPwriteDurable, ENOSPC);
  rig.host.Fail(Call::kPwrite, ENOSPC);
  const Piece piece = rig.Write(bytes, true);
  CHECK(piece.status.err == ENOSPC);
  CHECK(piece.status.op == Op::kPwrite);
  CHECK(piece.resid() == 512);
  CHECK(rig.flush.sticky().ok());
  CHECK(rig.Write(bytes, true).status.ok());
}

TEST_CASE("a durable write whose sync failed is written all the same, and its error sticks") {
  PioRig rig(kPerCall);
  const auto bytes = Pattern(0, 2000, 1);
  rig.host.Shorten(1000);
  rig.host.Fail(Call::kPwriteDurable, ENOSPC, 1);
  const Piece piece = rig.Write(bytes, true);
  CHECK(piece.status.err == ENOSPC);
  CHECK(piece.status.op == Op::kFdatasync);  // pwrite had room: it was not the write that failed
  CHECK(piece.resid() == 0);
  CHECK(rig.file.Read(4096 + 1024, 2000) == bytes);
  CHECK(rig.flush.sticky().err == ENOSPC);
  CHECK(rig.Write(bytes, true).status.err == ENOSPC);
}

TEST_CASE("a durable write of many segments syncs once") {
  PioRig rig(kPerCall);
  const auto bytes = Pattern(0, kMiB - 1024, 1);
  CHECK(rig.Write(bytes, true).status.ok());
  CHECK(rig.host.calls(Call::kPwriteDurable) == 1);
  Rig large(4 * kMiB, 0, 4 * kMiB, true, kPerCall);
  PioStrategy pio(large.range, *large.disk);
  const auto more = Pattern(0, 3 * kMiB, 1);
  Piece piece = WritePiece(0, more, true);
  pio.Submit(piece);
  CHECK(piece.status.ok());
  CHECK(large.host.calls(Call::kPwriteDurable) == 0);
  CHECK(large.host.calls(Call::kFdatasync) == 1);
  CHECK(large.Count(Counter::kFlushes) == 1);
  CHECK(large.file.Read(0, 3 * kMiB) == more);
}

}  // namespace
}  // namespace blk
