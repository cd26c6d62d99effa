#include "core/access/mapped_strategy.h"

#include "test/support/check.h"
#include "test/support/rig.h"

namespace blk {
namespace {

using test::Call;
using test::kKiB;
using test::kMiB;
using test::Pattern;
using test::ReadPiece;
using test::Rig;
using test::WritePiece;

// A device of 3 MiB from 512 on, behind windows of `window_size`.
struct MappedRig : Rig {
  explicit MappedRig(uint64_t window_size = kMiB, uint32_t count = 4, bool writable = true)
      : Rig(4 * kMiB, 512, 3 * kMiB, writable), windows(Windows(window_size, count)), mapped(range, *windows, *disk) {
    file.Fill();
    host.ClearJournal();
  }
  Piece Read(int64_t blkno, std::vector<uint8_t>& into) {
    Piece piece = ReadPiece(blkno, into);
    mapped.Submit(piece);
    return piece;
  }
  Piece Write(int64_t blkno, const std::vector<uint8_t>& from, bool durable) {
    Piece piece = WritePiece(blkno, from, durable);
    mapped.Submit(piece);
    return piece;
  }
  bool Dirty() {
    bool reached = false;
    static_cast<void>(flush.Sync([] { return Status::Ok(); }, &reached));
    return reached;
  }
  uint64_t Transfers() const { return host.calls(Call::kPread) + host.calls(Call::kPwrite); }

  std::unique_ptr<WindowCache> windows;
  MappedStrategy mapped;
};

TEST_CASE("a request across windows is served window by window, without a request call") {
  MappedRig rig;
  std::vector<uint8_t> back(2 * kMiB);
  const Piece piece = rig.Read(1000, back);
  CHECK(piece.status.ok());
  CHECK(piece.resid() == 0);
  CHECK(back == Pattern(512 + 1000 * 512, back.size()));
  CHECK(rig.Count(Counter::kWindowHits) == 3);
  CHECK(rig.Transfers() == 0);
}

TEST_CASE("writes reach the file, and nothing beside their range") {
  MappedRig rig;
  const auto bytes = Pattern(0, kMiB + 100, 1);
  CHECK(rig.Write(2000, bytes, false).resid() == 0);
  const uint64_t at = 512 + 2000 * 512;
  CHECK(rig.file.Read(at, bytes.size()) == bytes);
  CHECK(rig.file.Read(at - 512, 512) == Pattern(at - 512, 512));
  CHECK(rig.file.Read(at + bytes.size(), 512) == Pattern(at + bytes.size(), 512));
  CHECK(rig.Transfers() == 0);
  CHECK(rig.host.calls(Call::kMsync) == 0);
  CHECK(rig.Dirty());
}

TEST_CASE("B32: a durable write is msynced from the page where it starts, window by window") {
  MappedRig rig;
  const auto bytes = Pattern(0, 64 * kKiB, 1);
  const uint64_t at = kMiB - 32 * kKiB + 512;  // in the host file; not on a page
  REQUIRE(rig.Write(static_cast<int64_t>((at - 512) / 512), bytes, true).status.ok());
  const auto syncs = rig.host.Journal(Call::kMsync);
  REQUIRE(syncs.size() == 2);
  for (const auto& sync : syncs) CHECK(reinterpret_cast<uintptr_t>(sync.address) % PageSize() == 0);
  CHECK(syncs[0].size == 32 * kKiB);                      // from the page of `at` to the window's end
  CHECK(syncs[1].size == 64 * kKiB - (32 * kKiB - 512));  // the rest, from the next window's start
  CHECK(rig.file.Read(at, bytes.size()) == bytes);
  CHECK(rig.Count(Counter::kFlushes) == 2);
  CHECK_FALSE(rig.Dirty());
}

TEST_CASE("an msync that fails is the request's error, sticks, and the bytes have moved") {
  MappedRig rig;
  const auto bytes = Pattern(0, 64 * kKiB, 1);
  rig.host.Fail(Call::kMsync, EIO, 1);
  const Piece piece = rig.Write((kMiB - 32 * kKiB) / 512, bytes, true);
  CHECK(piece.status.err == EIO);
  CHECK(piece.status.op == Op::kMsync);
  CHECK(piece.resid() == 0);
  CHECK(rig.flush.sticky().err == EIO);
  CHECK(rig.disk->Sync(0).err == EIO);
  CHECK(rig.host.calls(Call::kFdatasync) == 0);
  CHECK(rig.Write(0, bytes, true).resid() == 64 * kKiB);  // answers before it tries
  CHECK(rig.Write(0, bytes, false).status.ok());
}

TEST_CASE("an msync that fails ends the request at its window") {
  MappedRig rig;
  const auto bytes = Pattern(0, 64 * kKiB, 1);
  rig.host.Fail(Call::kMsync, ENOSPC);
  const uint64_t first = 32 * kKiB - 512;  // up to the window's end
  const Piece piece = rig.Write((kMiB - 32 * kKiB) / 512, bytes, true);
  CHECK(piece.status.err == ENOSPC);
  CHECK(piece.resid() == bytes.size() - first);
  CHECK(rig.file.Read(kMiB, 512) == Pattern(kMiB, 512));
}

TEST_CASE("B33: what cannot be mapped is read and written by calls") {
  MappedRig rig(kMiB, 1);
  std::vector<uint8_t> back(kMiB + 512);
  rig.host.FailAlways(Call::kMmap, ENOMEM);
  CHECK(rig.Read(2048, back).resid() == 0);
  CHECK(back == Pattern(512 + kMiB, back.size()));
  CHECK(rig.host.calls(Call::kPread) > 0);
  const auto bytes = Pattern(0, 512, 1);
  CHECK(rig.Write(4096, bytes, true).status.ok());
  CHECK(rig.file.Read(512 + 2 * kMiB, 512) == bytes);
  CHECK(rig.host.calls(Call::kFdatasync) == 1);
  CHECK(rig.host.calls(Call::kMsync) == 0);
  rig.host.Heal();
  CHECK(rig.Read(2048, back).resid() == 0);
  CHECK(back == [&] {
    auto expected = Pattern(512 + kMiB, back.size());
    std::copy(bytes.begin(), bytes.end(), expected.end() - 512);
    return expected;
  }());
  CHECK(rig.windows->List().size() == 1);
}

TEST_CASE("B34: a file that was cut off gives EIO, with the bytes before the end, and the process lives") {
  MappedRig rig;
  rig.file.Truncate(kMiB + 5000);
  std::vector<uint8_t> back(64 * kKiB);
  const Piece piece = rig.Read(2048, back);  // medium offset 1 MiB + 512
  CHECK(piece.status.err == EIO);
  CHECK(piece.status.op == Op::kPread);
  CHECK(back.size() - piece.resid() == 5000 - 512);
  back.resize(5000 - 512);
  CHECK(back == Pattern(kMiB + 512, back.size()));
  std::vector<uint8_t> before(512);
  CHECK(rig.Read(0, before).status.ok());
  CHECK(before == Pattern(512, 512));
}

TEST_CASE("B34: a store behind the end of a file that was cut off is EIO, for good, and makes nothing grow") {
  MappedRig rig;
  rig.file.Truncate(kMiB);
  const auto bytes = Pattern(0, 1024, 1);
  const Piece piece = rig.Write(2048 + 10, bytes, false);
  CHECK(piece.status.err == EIO);
  CHECK(piece.resid() == 1024);
  CHECK(rig.file.Size() == kMiB);
  CHECK(rig.flush.sticky().err == EIO);
  CHECK(rig.disk->Sync(0).err == EIO);
}

TEST_CASE("B34: a durable store on the last page, behind the new end, meets no fault and is EIO all the same") {
  MappedRig rig;
  rig.file.Truncate(kMiB + 100);
  const auto bytes = Pattern(0, 512, 1);
  CHECK(rig.Write(2048, bytes, true).status.err == EIO);  // host bytes 1 MiB + 512 and up
  CHECK(rig.flush.sticky().err == EIO);
  MappedRig before;
  before.file.Truncate(kMiB + 100);
  CHECK(before.Write(2046, bytes, true).status.ok());  // up to 1 MiB
}

TEST_CASE("B34: a poisoned window serves by calls until it is mapped again") {
  MappedRig rig(kMiB, 1);
  rig.file.Truncate(0);
  std::vector<uint8_t> back(512);
  CHECK(rig.Read(8, back).status.err == EIO);
  rig.file.Truncate(4 * kMiB);
  rig.file.Fill(2);
  CHECK(rig.Read(8, back).resid() == 0);
  CHECK(back == Pattern(512 + 8 * 512, 512, 2));  // not the guard's zeros
  const uint64_t preads = rig.host.calls(Call::kPread);
  CHECK(preads >= 2);
  CHECK(rig.Read(4096, back).resid() == 0);  // another window takes the place
  CHECK(rig.Read(8, back).resid() == 0);
  CHECK(back == Pattern(512 + 8 * 512, 512, 2));
  CHECK(rig.host.calls(Call::kPread) == preads);
}

TEST_CASE("B34: a durable write whose window loses another page during msync is made durable by fdatasync") {
  for (const int err : {0, EIO}) {
    MappedRig rig(4 * kMiB, 1);
    rig.host.before = [&](const test::CallRecord& call) {
      if (call.call != Call::kMsync) return;
      rig.file.Truncate(2 * kMiB);
      const auto window = rig.windows->Acquire({5 * kMiB / 2}, 0).Take();
      window.At({5 * kMiB / 2})[0] = 1;
      rig.file.Truncate(4 * kMiB);
    };
    if (err != 0) rig.host.Fail(Call::kFdatasync, err);
    const auto bytes = Pattern(0, 512, 1);
    CHECK(rig.Write(0, bytes, true).status.err == err);
    CHECK(rig.host.calls(Call::kMsync) == 1);
    CHECK(rig.host.calls(Call::kFdatasync) == 1);
    CHECK(rig.file.Read(512, 512) == bytes);
    CHECK(rig.flush.sticky().err == err);
  }
}

TEST_CASE("a cancelled piece stops at the next window") {
  MappedRig rig;
  std::atomic<bool> cancel{true};
  std::vector<uint8_t> back(2 * kMiB);
  Piece piece = ReadPiece(0, back);
  piece.cancel = &cancel;
  rig.mapped.Submit(piece);
  CHECK(piece.status.err == ECANCELED);
  CHECK(piece.resid() == back.size());

  cancel = false;
  MappedRig narrow(kMiB, 1);
  narrow.host.before = [&](const test::CallRecord& call) { cancel = cancel || call.call == Call::kMmap; };
  Piece second = ReadPiece(0, back);
  second.cancel = &cancel;
  narrow.mapped.Submit(second);
  CHECK(second.status.err == ECANCELED);
  CHECK(back.size() - second.resid() == 2 * kMiB - 512);  // window 0 was there, window 1 was the one being mapped
}

TEST_CASE("a piece that can be cancelled is copied by segments, however large the window") {
  MappedRig rig(4 * kMiB, 1);
  std::atomic<bool> cancel{false};
  std::vector<uint8_t> back(3 * kMiB);
  // The first segment's msync sets the flag.
  rig.host.before = [&](const test::CallRecord& call) { cancel = cancel || call.call == Call::kMsync; };
  Piece piece = WritePiece(0, back, true);
  piece.cancel = &cancel;
  rig.mapped.Submit(piece);
  CHECK(piece.status.err == ECANCELED);
  CHECK(back.size() - piece.resid() == kSegmentSize);
}

TEST_CASE("a read that will not wait is not done: a mapped page is not a resident one") {
  MappedRig rig;
  std::vector<uint8_t> back(512);
  Piece piece = ReadPiece(0, back);
  piece.nowait = true;
  rig.mapped.Submit(piece);
  CHECK(piece.status.err == EOPNOTSUPP);
  CHECK(rig.Count(Counter::kIoTotal) == 0);
  CHECK(rig.Count(Counter::kWindowHits) == 0);
}

TEST_CASE("B15: an 'r' open reads from its windows and refuses to write") {
  MappedRig rig(kMiB, 4, false);
  std::vector<uint8_t> back(512);
  CHECK(rig.Read(0, back).resid() == 0);
  CHECK(back == Pattern(512, 512));
  const auto bytes = Pattern(0, 512, 1);
  Request request;
  request.operation = Operation::kWrite;
  request.data = const_cast<uint8_t*>(bytes.data());
  request.length = bytes.size();
  PlanRequest(request, rig.range);
  RunRequest(rig.mapped, request);
  CHECK(request.status.err == EACCES);
  CHECK(rig.file.Read(512, 512) == Pattern(512, 512));
}

}  // namespace
}  // namespace blk
