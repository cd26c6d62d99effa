#include "core/request/batch.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/request/filter.h"

namespace blk {
namespace {

constexpr double kMaxBlkno =
    9007199254740992.0;  // 2^53: beyond it doubles are no longer exact, and any device has ended
constexpr size_t kMaxMerged = 4 * kSegmentSize;

// The request that `piece` is all of.
Request AsRequest(const Piece& piece) {
  Request request;
  request.operation = piece.operation;
  request.position = static_cast<int64_t>(piece.position);
  request.length = piece.size;
  request.lane = piece.lane;
  return request;
}

}  // namespace

Operation BatchRun::OperationOf(uint32_t i) const {
  switch (OpOf(i)) {
    case BatchOp::kRead: return Operation::kRead;
    case BatchOp::kWrite: return Operation::kWrite;
    case BatchOp::kFlush: return Operation::kFlush;
    case BatchOp::kDiscard: return Operation::kDiscard;
    case BatchOp::kZero: return Operation::kZero;
  }
  return Operation::kRead;
}

int BatchRun::Prepare(uint32_t i, Lane lane, Piece* piece) {
  if (arrays_.op[i] > kLastBatchOp || OpOf(i) == BatchOp::kFlush) return EINVAL;
  const double blkno = arrays_.blkno[i];
  // Written so that NaN is refused, for which every comparison is false. Negative ones go on to the bounds check (B4),
  // like those behind the end.
  if (!(std::fabs(blkno) <= kMaxBlkno)) return EINVAL;
  const auto sector = static_cast<int64_t>(blkno);
  if (static_cast<double>(sector) != blkno) return EINVAL;
  piece->operation = OperationOf(i);
  if (MovesBytes(piece->operation)) {
    // 64 bits: the sum of two of 32 does not wrap.
    const uint64_t end = uint64_t{arrays_.offset[i]} + arrays_.bcount[i];
    if (end > arena_size_) return EINVAL;
    piece->data = arena_ + arrays_.offset[i];
  }
  piece->position = static_cast<uint64_t>(PositionOfSector(sector));
  piece->size = arrays_.bcount[i];
  piece->lane = lane;
  if (filters_.watches_pieces) TellOrigin(i, piece);
  return 0;
}

void BatchRun::TellOrigin(uint32_t i, Piece* piece) {
  shared_.first = group_;
  shared_.entries = count_ - group_;
  piece->group = &shared_;
  piece->entry = i;
  piece->by_group = IsDurable(i);
  piece->stack = target_.stack;
}

void BatchRun::Admit() {
  if (!filters_.needs_each_request && !filters_.watches_requests) return;
  // Room before the first draw, so that a run that finds no memory has drawn nothing.
  std::vector<Plan> plans(count_);
  std::vector<TraceContext> traces(filters_.watches_requests ? count_ : 0);
  uint64_t begun = 0;
  for (uint32_t i = 0; i < count_; i++) {
    Piece piece;
    if (arrays_.op[i] == static_cast<uint8_t>(BatchOp::kFlush)) {
      piece.operation = Operation::kFlush;
      piece.size = target_.range->size;
      // It is none then.
      if (!target_.durability.flushes()) continue;
    } else if (Prepare(i, kSharedLane, &piece) != 0) {
      // What never becomes a piece draws nothing, as a request that is refused outright.
      continue;
    }
    Request request = AsRequest(piece);
    request.trace.begun = begun;
    PlanRequest(request, *target_.range);
    target_.entry->Admit(request);
    if (request.plan.decided) starts_ = {};
    plans[i] = std::move(request.plan);
    begun = request.trace.begun;
    // A flush begins behind what it covers: Device::SyncBatch() is where it is traced.
    if (!traces.empty() && piece.operation != Operation::kFlush) traces[i] = request.trace;
  }
  plans_ = std::move(plans);
  traces_ = std::move(traces);
}

bool BatchRun::RunGroup(Wait wait, Lane lane, const std::atomic<bool>* cancel) {
  while (next_ < count_) {
    const uint32_t i = next_;
    const bool read = OpOf(i) == BatchOp::kRead;
    // A write may always wait, for room in the page cache.
    if (wait == Wait::kNever && !read) return false;
    if (IsCancelled(cancel)) {
      CancelRest();
      return true;
    }
    if (expects_ && i + 1 < count_) Expect(i + 1, lane);
    if (OpOf(i) == BatchOp::kFlush) return TakeFlush(), true;
    Piece piece;
    uint32_t served = 1;
    if (!IsWithoutPiece(i, lane, &piece)) {
      piece.nowait = read && wait != Wait::kMay;
      piece.may_fault = wait == Wait::kForNoRead;
      if (wait == Wait::kForNoRead && !read && IsStarted(piece)) return false;
      served = RunHere(i, piece);
      if (served == 0) return false;
    }
    next_ += served;
  }
  return true;
}

uint32_t BatchRun::RunHere(uint32_t i, Piece& piece) {
  const uint32_t served = Merge(i, &piece);
  if (served > 1) return RunMerged(i, served, piece), served;
  return RunSingle(i, piece) ? 1 : 0;
}

void BatchRun::EndGroup(Status synced) {
  if (shared_.log != nullptr) shared_.log->GroupEnded(shared_, synced);
  if (!synced.ok()) {
    // By its last entry: a group without one that flushes is the last of all.
    if (OpOf(next_ - 1) == BatchOp::kFlush && barred_.ok()) barred_ = synced;
    for (uint32_t i = group_; i < next_; i++) {
      // Moved but not durable: its residual stays what it was.
      const bool served = OpOf(i) == BatchOp::kFlush || IsDurable(i);
      if (served && arrays_.error[i] == 0) Set(i, arrays_.resid[i], synced.err);
    }
  }
  if (!traces_.empty()) CompleteGroup(Of::kAll);
  group_ = next_;
  wants_sync_ = false;
}

void BatchRun::CompleteGroup(Of which) {
  uint64_t ended = 0;
  for (uint32_t i = group_; i < next_; i++) {
    if (traces_[i].filter == nullptr) continue;
    const bool durable = Mutates(OperationOf(i)) && IsDurable(i);
    if (durable && which == Of::kNotDurable) continue;
    Piece piece;
    static_cast<void>(Prepare(i, kSharedLane, &piece));  // as when it was admitted
    Request request = AsRequest(piece);
    request.durable = durable;
    request.moved = piece.size - arrays_.resid[i];
    request.status = {-arrays_.error[i], Op::kStrategy};
    request.injected = plans_[i].stop.by != nullptr && arrays_.error[i] != 0;
    request.plan.decided = plans_[i].decided;
    request.trace = std::exchange(traces_[i], {});
    request.trace.ended = ended;
    CompleteRequest(request);
    ended = request.trace.ended;
  }
}

void BatchRun::Expect(uint32_t i, Lane lane) {
  Piece piece;
  if (OpOf(i) != BatchOp::kRead || Prepare(i, lane, &piece) != 0) return;
  if (piece.position >= target_.range->size) return;
  piece.size = target_.range->ReachOf(piece.position, piece.size);
  target_.entry->Expect(piece);
}

bool BatchRun::IsWithoutPiece(uint32_t i, Lane lane, Piece* piece) {
  const int err = Prepare(i, lane, piece);
  if (err != 0) {
    Set(i, arrays_.bcount[i], err);
  } else if (piece->size == 0) {
    Set(i, 0, 0);
  }
  return err != 0 || piece->size == 0;
}

bool BatchRun::IsRefused(uint32_t i, Piece& piece) {
  const Status allowed = target_.range->Allows(piece.operation, piece.position);
  if (!allowed.ok()) return Set(i, arrays_.bcount[i], allowed.err), true;
  piece.size = target_.range->ReachOf(piece.position, piece.size);
  return false;
}

bool BatchRun::IsStopped(uint32_t i, Piece& piece) {
  if (Mutates(piece.operation) && RefuseWrite(i)) return true;
  if (plans_.empty()) return IsRefused(i, piece);
  const Plan& plan = plans_[i];
  piece.decided = plan.decided.get();
  if (plan.stop_at > 0) {
    piece.size = plan.reach;
    return false;
  }
  Set(i, arrays_.bcount[i], plan.stop.why.err);
  if (plan.stop.by != nullptr) plan.stop.by->Stopped(AsRequest(piece));
  return true;
}

bool BatchRun::RunSingle(uint32_t i, Piece& piece) {
  if (IsStopped(i, piece)) return true;
  target_.entry->Submit(piece);
  if (piece.nowait && IsUndone(piece.status)) return false;
  SetMoved(i, piece);
  return true;
}

bool BatchRun::IsAllStarted() {
  if (starts_.empty() || next_ == count_) return false;
  const bool syncs = starts_.Has(Operation::kFlush);
  for (uint32_t i = next_; i < count_; i++) {
    if (Waits(i) || (IsDurable(i) && !syncs)) return false;
    Piece piece;
    // A flush, what is wrong, and what has no bytes have no piece that could wait.
    if (Prepare(i, kSharedLane, &piece) == 0 && piece.size > 0 && !IsStarted(piece)) return false;
  }
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

uint32_t BatchRun::Merge(uint32_t i, Piece* piece) {
  if (piece->operation != Operation::kWrite || IsStopped(i) || filters_.may_refuse_pieces) return 1;
  uint32_t n = 1;
  for (; i + n < count_ && piece->size < kMaxMerged; n++) {
    // On the device and in the arena: one write takes one piece of memory. Looked at first, as most do not continue.
    const uint64_t end = piece->position + piece->size;
    if (arrays_.blkno[i + n] != static_cast<double>(end) / kDevBsize) break;
    if (arena_ + arrays_.offset[i + n] != piece->data + piece->size) break;
    Piece next;
    if (OpOf(i + n) != BatchOp::kWrite || Prepare(i + n, piece->lane, &next) != 0) break;
    if (next.position != end || IsStopped(i + n) || next.size == 0 || IsDurable(i + n) != IsDurable(i)) break;
    piece->size += next.size;
  }
  return n;
}

void BatchRun::RunMerged(uint32_t i, uint32_t n, Piece& piece) {
  if (RefuseWrite(i)) {
    // All of them are durable, or none: Merge() saw to that.
    for (uint32_t k = i + 1; k < i + n; k++) RefuseWrite(k);
    return;
  }
  // Of all of them together: no filter has stopped one, and each one's own plan says the same.
  piece.status = target_.range->Allows(piece.operation, piece.position);
  if (piece.status.ok()) {
    piece.size = target_.range->ReachOf(piece.position, piece.size);
    target_.entry->Submit(piece);
  }
  size_t moved = piece.moved;
  uint32_t k = i;
  for (; k < i + n && moved >= arrays_.bcount[k]; k++) {
    moved -= arrays_.bcount[k];
    Set(k, 0, 0);
  }
  if (k < i + n) {
    // The one where it stopped has its error, or the end of the device; those behind it run for themselves.
    Set(k, static_cast<uint32_t>(arrays_.bcount[k] - moved), piece.status.err);
    k++;
  }
  // Each entry counts, not each call.
  target_.range->counters->Add(Counter::kIoTotal, k - i - 1, piece.lane);
  for (; k < i + n; k++) {
    Piece rest;
    if (Prepare(k, piece.lane, &rest) == 0) static_cast<void>(RunSingle(k, rest));  // it may wait
  }
}

void BatchRun::CancelRest() {
  for (; next_ < count_; next_++) Set(next_, arrays_.bcount[next_], ECANCELED);
}

uint32_t BatchRun::succeeded() const {
  return static_cast<uint32_t>(std::count(arrays_.error, arrays_.error + count_, 0));
}

}  // namespace blk
