#include "core/access/pio_strategy.h"

namespace blk {

Moved PioStrategy::Piece(const Buf& buf, uint8_t* data, HostOffset at, size_t size) {
  if (buf.nowait) return file_.ReadNow(data, size, at);
  if (buf.op == BufOp::kRead) return file_.ReadAll(data, size, at, buf.cancel);
  // Larger ones would sync after each segment, where one sync behind all of them does.
  if (buf.durable && durable_calls_ && size <= kSegmentSize) return WriteDurable(buf, data, at, size);
  Moved moved = file_.WriteAll(data, size, at, buf.cancel);
  // Also of a write that failed half-way: what moved is with the host and not on the medium.
  if (moved.bytes > 0) range().flush->MarkDirty();
  // Before the buf completes (B20), and through O_DIRECT as well: the disk's own cache is to be emptied (B38).
  if (moved.status.ok() && buf.durable) moved.status = Sync(buf.lane);
  return moved;
}

Moved PioStrategy::Part(const Buf& buf, HostOffset at, size_t size) {
  if (!buf.durable || (buf.first && buf.last)) return Piece(buf, buf.data, at, size);
  Buf part = buf;
  part.durable = false;
  Moved moved = Piece(part, buf.data, at, size);
  if (moved.status.ok() && buf.last) moved.status = Sync(buf.lane);
  return moved;
}

// The data goes through and is synced in one call, which leaves alone what else of the file is dirty (B45).
Moved PioStrategy::WriteDurable(const Buf& buf, const uint8_t* data, HostOffset at, size_t size) {
  const Moved moved = file_.WriteAllDurable(data, size, at, buf.cancel);
  const int err = moved.status.err;
  if (moved.bytes > 0) range().counters->Add(Counter::kFlushes, 1, buf.lane);
  if (err == 0 || err == ECANCELED) return moved;
  if (err == EINTR) {
    // What it wrote last may be there without its sync.
    range().flush->MarkDirty();
    return moved;
  }
  // An error of the medium is told once; a second try would find clean pages and succeed.
  if (err == EIO) return {moved.bytes, range().flush->Fail(moved.status)};
  Moved rest = file_.WriteAll(data + moved.bytes, size - moved.bytes, {at.value + moved.bytes}, buf.cancel);
  if (rest.bytes > 0) range().flush->MarkDirty();
  // EPERM is a host's that denies this call, as a seccomp profile does; one that denies every write says so again.
  const bool no_such_call = err == EOPNOTSUPP || err == ENOSYS || err == EINVAL || err == EPERM;
  // Several threads may find out at once, and all say the same.
  if (no_such_call && rest.status.ok()) durable_calls_ = false;
  // It was the sync that failed, not the write: the error may be that of earlier writes, and the host tells it once.
  if (rest.status.ok() && !no_such_call) rest.status = range().flush->Fail({err, Op::kFdatasync});
  if (rest.status.ok()) rest.status = Sync(buf.lane);
  return {moved.bytes + rest.bytes, rest.status};
}

Status PioStrategy::CheckStored(HostOffset at, size_t size) {
  const Status status = file_.CheckReaches(at.value + size);
  if (status.ok()) return status;
  range().flush->NoteLoss({at, {at.value + size}});
  return range().flush->Fail(status);
}

Status PioStrategy::SyncAll() {
  const Status status = file_.Sync();
  if (!status.ok()) return status;
  // After the sync, which may be what meets the page that cannot be written.
  const HostSpan lost = range().flush->LostStores();
  return lost.empty() ? status : file_.WhyLost(lost);
}

Status PioStrategy::Sync(Lane lane) {
  bool reached_host = false;
  Status status = range().flush->Sync([this] { return SyncAll(); }, &reached_host);
  if (reached_host) range().counters->Add(Counter::kFlushes, 1, lane);
  return status;
}

}  // namespace blk
