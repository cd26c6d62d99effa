#include "core/request/batch.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/request/plan.h"

namespace blk {
namespace {

constexpr double kMaxBlkno =
    9007199254740992.0;  // 2^53: beyond it doubles are no longer exact, and any device has ended
constexpr size_t kMaxMerged = 4 * kSegmentSize;

// The request that `buf` is all of.
Transfer AsTransfer(const Buf& buf) {
  Transfer transfer;
  transfer.op = buf.op;
  transfer.position = static_cast<int64_t>(buf.position);
  transfer.length = buf.bcount;
  transfer.lane = buf.lane;
  return transfer;
}

}  // namespace

int BatchRun::Prepare(uint32_t i, Lane lane, Buf* buf) const {
  if (arrays_.op[i] > static_cast<uint8_t>(BatchOp::kWrite)) return EINVAL;
  const double blkno = arrays_.blkno[i];
  // Written so that NaN is refused, for which every comparison is false. Negative ones go on to the bounds check (B4),
  // like those behind the end.
  if (!(std::fabs(blkno) <= kMaxBlkno) || std::trunc(blkno) != blkno) return EINVAL;
  // 64 bits: the sum of two of 32 does not wrap.
  const uint64_t end = uint64_t{arrays_.offset[i]} + arrays_.bcount[i];
  if (end > arena_size_) return EINVAL;
  buf->op = OpOf(i) == BatchOp::kRead ? BufOp::kRead : BufOp::kWrite;
  buf->position = static_cast<uint64_t>(PositionOfSector(static_cast<int64_t>(blkno)));
  buf->bcount = arrays_.bcount[i];
  buf->data = arena_ + arrays_.offset[i];
  buf->lane = lane;
  return 0;
}

void BatchRun::Admit() {
  if (!target_.faulty) return;
  // Room before the first draw, so that a run that finds no memory has drawn nothing.
  std::vector<Stop> stops(count_);
  for (uint32_t i = 0; i < count_; i++) {
    Buf buf;
    // What never becomes a buf draws nothing, as a request that is refused outright.
    if (Prepare(i, kSharedLane, &buf) != 0) continue;
    Transfer transfer = AsTransfer(buf);
    PlanTransfer(transfer, *target_.range);
    target_.entry->Admit(transfer);
    if (transfer.plan.stop_at == 0) stops[i] = transfer.plan.stop;
  }
  stops_ = std::move(stops);
}

bool BatchRun::RunGroup(bool nowait, Lane lane, const std::atomic<bool>* cancel) {
  while (next_ < count_) {
    const uint32_t i = next_;
    // A write may always wait, for room in the page cache.
    if (nowait && OpOf(i) != BatchOp::kRead) return false;
    if (IsCancelled(cancel)) {
      CancelRest();
      return true;
    }
    if (i + 1 < count_) Expect(i + 1, lane);
    if (OpOf(i) == BatchOp::kFlush) {
      Set(i, 0, 0);
      wants_sync_ = true;
      next_++;
      return true;
    }
    Buf buf;
    uint32_t served = 1;
    if (const int err = Prepare(i, lane, &buf); err != 0) {
      Set(i, arrays_.bcount[i], err);
      // No buf, as for every request of length zero.
    } else if (buf.bcount == 0) {
      Set(i, 0, 0);
    } else {
      buf.nowait = nowait;
      served = Merge(i, &buf);
      if (served > 1) {
        RunMerged(i, served, buf);
      } else if (!RunSingle(i, buf)) {
        return false;
      }
    }
    next_ += served;
  }
  return true;
}

void BatchRun::EndGroup(Status synced) {
  if (!synced.ok()) {
    // By its last entry: a group without one that flushes is the last of all.
    if (OpOf(next_ - 1) == BatchOp::kFlush && barred_.ok()) barred_ = synced;
    for (uint32_t i = group_; i < next_; i++) {
      // Moved but not durable: its residual stays what it was.
      const bool served = OpOf(i) == BatchOp::kFlush || (OpOf(i) == BatchOp::kWrite && IsDurable(i));
      if (served && arrays_.error[i] == 0) Set(i, arrays_.resid[i], synced.err);
    }
  }
  group_ = next_;
  wants_sync_ = false;
}

void BatchRun::Expect(uint32_t i, Lane lane) const {
  Buf buf;
  if (OpOf(i) != BatchOp::kRead || Prepare(i, lane, &buf) != 0) return;
  if (buf.position >= target_.range->size) return;
  buf.bcount = target_.range->ReachOf(buf.position, buf.bcount);
  target_.entry->Expect(buf);
}

size_t BatchRun::Submit(Buf& buf) const {
  buf.status = target_.range->Allows(buf.op, buf.position);
  if (!buf.status.ok()) return 0;
  buf.bcount = target_.range->ReachOf(buf.position, buf.bcount);
  target_.entry->Submit(buf);
  return buf.bcount - buf.resid;
}

bool BatchRun::RunSingle(uint32_t i, Buf& buf) {
  if (buf.op == BufOp::kWrite && RefuseWrite(i)) return true;
  if (IsStopped(i)) {
    Set(i, arrays_.bcount[i], stops_[i].why.err);
    if (stops_[i].by != nullptr) stops_[i].by->Stopped(AsTransfer(buf));
    return true;
  }
  const size_t moved = Submit(buf);
  if (buf.nowait && IsUndone(buf.status)) return false;
  Set(i, static_cast<uint32_t>(arrays_.bcount[i] - moved), buf.status.err);
  return true;
}

// A durable write is not made so by the strategy: the one sync at the end of its group does. After a failed sync none
// is tried; and where the failed one was an entry's own, what stands behind it is not to be on the medium alone.
bool BatchRun::RefuseWrite(uint32_t i) {
  const bool durable = IsDurable(i);
  const Status why = barred_.ok() && durable ? target_.range->flush->sticky() : barred_;
  if (!why.ok()) {
    Set(i, arrays_.bcount[i], why.err);
    return true;
  }
  if (durable) wants_sync_ = true;
  return false;
}

uint32_t BatchRun::Merge(uint32_t i, Buf* buf) const {
  if (buf->op != BufOp::kWrite || IsStopped(i) || target_.guarded) return 1;
  uint32_t n = 1;
  for (; i + n < count_ && buf->bcount < kMaxMerged; n++) {
    Buf next;
    if (OpOf(i + n) != BatchOp::kWrite || Prepare(i + n, buf->lane, &next) != 0) break;
    // In the arena as well as on the device: one write takes one piece of memory.
    const bool continues = next.position == buf->position + buf->bcount && next.data == buf->data + buf->bcount;
    if (!continues || IsStopped(i + n) || next.bcount == 0 || IsDurable(i + n) != IsDurable(i)) break;
    buf->bcount += next.bcount;
  }
  return n;
}

void BatchRun::RunMerged(uint32_t i, uint32_t n, Buf& buf) {
  if (RefuseWrite(i)) {
    // All of them are durable, or none: Merge() saw to that.
    for (uint32_t k = i + 1; k < i + n; k++) RefuseWrite(k);
    return;
  }
  size_t moved = Submit(buf);
  uint32_t k = i;
  for (; k < i + n && moved >= arrays_.bcount[k]; k++) {
    moved -= arrays_.bcount[k];
    Set(k, 0, 0);
  }
  if (k < i + n) {
    // The one where it stopped has its error, or the end of the device; those behind it run for themselves.
    Set(k, static_cast<uint32_t>(arrays_.bcount[k] - moved), buf.status.err);
    k++;
  }
  // Each entry counts, not each call.
  target_.range->counters->Add(Counter::kIoTotal, k - i - 1, buf.lane);
  for (; k < i + n; k++) {
    Buf rest;
    if (Prepare(k, buf.lane, &rest) == 0) static_cast<void>(RunSingle(k, rest));  // it may wait
  }
}

void BatchRun::CancelRest() {
  for (; next_ < count_; next_++) Set(next_, arrays_.bcount[next_], ECANCELED);
}

uint32_t BatchRun::succeeded() const {
  return static_cast<uint32_t>(std::count(arrays_.error, arrays_.error + count_, 0));
}

}  // namespace blk
