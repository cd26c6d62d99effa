// Batch: many pieces in one go, in struct-of-arrays form, without an allocation per request. As if the entries ran one
// after the other. A flush ends a group: what stands before it is durable before anything behind it begins. Durable
// writes of a group are served by one sync at its end, and writes that continue each other, on the device and in the
// arena, go to the host as one.
// No state beyond a BatchRun, which one thread uses at a time.
// Why: one crossing into native code costs as much as a 4 KiB copy, one sync as much as thirty writes.
#ifndef RUMPBLK_CORE_REQUEST_BATCH_H_
#define RUMPBLK_CORE_REQUEST_BATCH_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "core/request/durability.h"
#include "core/request/physio.h"
#include "core/request/piece.h"
#include "core/request/plan.h"
#include "core/request/request_log.h"
#include "core/request/strategy.h"

namespace blk {

// The numbers are those of lib/request/batch.ts. Entries may hold any other: JavaScript writes them without a check.
enum class BatchOp : uint8_t { kRead = 0, kWrite = 1, kFlush = 2, kDiscard = 3, kZero = 4 };
inline constexpr uint8_t kLastBatchOp = static_cast<uint8_t>(BatchOp::kZero);

// The arrays of a batch, `depth` entries each, and the memory that the entries point into. Owned by the caller, and not
// written by anybody else while a run lasts: what Prepare() has checked is what is used.
struct BatchArrays {
  const uint8_t* op = nullptr;       // BatchOp
  const uint8_t* fua = nullptr;      // 1: durable when complete
  const double* blkno = nullptr;     // sectors
  const uint32_t* bcount = nullptr;  // bytes
  const uint32_t* offset = nullptr;  // bytes into the arena
  uint32_t* resid = nullptr;         // filled in: bytes not moved
  int32_t* error = nullptr;          // filled in: 0, or a negative errno
};

// What the entries of a batch share. What it points to outlives the run.
struct BatchTarget {
  Strategy* entry;
  const DeviceRange* range;
  DurabilityRule durability;
  OperationSet starts;  // what the medium answers later
  bool tells_memory;    // but not what is in memory, which it tells
  int32_t stack = -1;   // for logs: where the batch comes from
};

// A sync at the end of a group.
struct BatchSync {
  const Plan* admitted = nullptr;  // that of the flush which ends the group, where filters have looked at it
  int32_t stack = -1;              // for logs: where the batch comes from
  bool for_group = false;          // for durable writes of the group alone, which promises nothing to others
};

class BatchRun {
 public:
  // Runs `count` entries. Units: bytes, entries.
  // REQUIRES: the arrays have `count` entries, the arena arena_size bytes, and all of it outlives this object.
  BatchRun(const BatchArrays& arrays, uint8_t* arena, size_t arena_size, uint32_t count, const BatchTarget& target)
      : arrays_(arrays),
        arena_(arena),
        arena_size_(arena_size),
        count_(count),
        target_(target),
        filters_(target.entry->filters()),
        expects_(target.entry->expects()),
        starts_(target.starts) {}
  // Goes on where `begun` has stopped, on copies of its arrays and its arena.
  // REQUIRES: begun.Run() has answered false, with `nowait`.
  BatchRun(const BatchArrays& arrays, uint8_t* arena, BatchRun&& begun)
      : arrays_(arrays),
        arena_(arena),
        arena_size_(begun.arena_size_),
        count_(begun.count_),
        target_(begun.target_),
        filters_(begun.filters_),
        expects_(begun.expects_),
        starts_(begun.starts_),
        plans_(std::move(begun.plans_)),
        traces_(std::move(begun.traces_)),
        next_(begun.next_) {}

  // Plans every entry and passes it by the filters, in order, on the thread that submits the batch, where they ask for
  // it. Called once, before Run(), and for all entries, those that Run() answers on the spot too. Writes nothing to the
  // arrays.
  void Admit();

  // Runs what is left of the entries. With `nowait` it stops, and answers false, before the first that is no read or
  // that would wait for a disk; a later call goes on from there. `sync` makes all that was written durable, as the
  // BatchSync that it is given says; it is called at the end of each group that has a flush or a durable write.
  // Errors: each entry's own in its error slot:
  // EINVAL an unknown op, a blkno that is no whole number, a range outside the arena · those of Strategy::Submit() ·
  // the sync's, for every entry that it served, and for every write behind a flush that failed, none of which is begun
  // · ECANCELED.
  template <typename SyncFn>
  bool Run(bool nowait, Lane lane, const std::atomic<bool>* cancel, SyncFn&& sync) {
    while (next_ < count_) {
      if (starts_.empty() || nowait) {
        if (!RunGroup(nowait ? Wait::kNever : Wait::kMay, lane, cancel)) return false;
      } else if (!target_.tells_memory || !RunGroup(Wait::kForNoRead, lane, cancel)) {
        RunStartedGroup(lane, cancel);
      }
      if (!traces_.empty()) CompleteGroup(Of::kNotDurable);
      EndGroup(wants_sync_ ? sync({FlushPlan(), target_.stack, !EndsWithFlush()}) : Status::Ok());
    }
    return true;
  }

  // Whether the medium answers all of what is left of the entries later, and the syncs that they need, so that none of
  // it waits.
  bool IsAllStarted();

  // Ends what is left of the entries with ECANCELED. They count as run.
  void CancelRest();
  // The same of one that has not begun what is left, and ends so.
  void EndCancelled() {
    CancelRest();
    EndGroup(Status::Ok());
  }

  // Calls `see` with each decision on an entry, and its number.
  template <typename SeeFn>
  void EachDecision(SeeFn&& see) const {
    for (uint32_t i = 0; i < plans_.size(); i++) {
      if (plans_[i].decided) see(i, plans_[i].decided);
    }
  }
  // Ends entry i with this error, unless it has failed otherwise.   REQUIRES: it has run.
  void FailEntry(uint32_t i, int err) {
    if (arrays_.error[i] == 0) Set(i, arrays_.resid[i], err);
  }
  // What the entries go through.
  Strategy& entry() const { return *target_.entry; }

  // Entries that there are, and those of them that have run.
  uint32_t count() const { return count_; }
  uint32_t begun() const { return next_; }
  // Entries without an error. REQUIRES: Run() has answered true.
  uint32_t succeeded() const;

 private:
  friend class StartedGroup;
  friend class StartedBatch;

  // RunGroup() on a medium that answers later: with as many entries under way as can be, and waits for them. Defined
  // beside StartedGroup.
  void RunStartedGroup(Lane lane, const std::atomic<bool>* cancel);
  // Run() up to the end of the group, without the sync; `wait`: what it may wait for.
  enum class Wait : uint8_t {
    kMay,
    kNever,     // nor does a write
    kForNoRead  // but for a page of a warm mapping that has left memory
  };
  // -> false: the next entry would wait and must not.
  bool RunGroup(Wait wait, Lane lane, const std::atomic<bool>* cancel);
  // Whether entry i, of which `piece` is prepared, is answered later.
  bool IsStarted(const Piece& piece) { return target_.entry->Starts(piece); }
  // Runs entry i, and those that can go to the host with it, on this thread.
  // -> so many entries; none where it would wait and must not.
  uint32_t RunHere(uint32_t i, Piece& piece);
  // Whether the last entry that has run is a flush.
  bool EndsWithFlush() const { return next_ > 0 && OpOf(next_ - 1) == BatchOp::kFlush; }
  // Completes the requests that the entries of the group are to a filter that watches them, once each: before the sync
  // those that it does not serve, which it may cover, and behind it all others.
  enum class Of : uint8_t { kNotDurable, kAll };
  void CompleteGroup(Of which);
  // Gives the outcome of the group's sync to the entries that it served. After a flush that failed no write begins.
  void EndGroup(Status synced);
  // Whether entry i, a write, is durable when its group has ended. It has no way to say that it is not.
  bool IsDurable(uint32_t i) const {
    return target_.durability.IsDurable(OperationOf(i), arrays_.fua[i] != 0 ? Fua::kOn : Fua::kByCacheMode);
  }
  // Of the flush that ends the group under way, as it was admitted.
  const Plan* FlushPlan() const {
    return OpOf(next_ - 1) == BatchOp::kFlush && !plans_.empty() ? &plans_[next_ - 1] : nullptr;
  }
  BatchOp OpOf(uint32_t i) const { return static_cast<BatchOp>(arrays_.op[i]); }
  // REQUIRES: OpOf(i) is one of BatchOp's.
  Operation OperationOf(uint32_t i) const;
  // Whether entry i is what the medium does not answer later: whoever runs it waits.   REQUIRES: entries are started.
  bool Waits(uint32_t i) const { return arrays_.op[i] <= kLastBatchOp && !starts_.Has(OperationOf(i)); }
  // Fills in the piece of entry i: what it asks for, wherever that lies. -> 0, or the errno that the entry gets
  // instead.
  int Prepare(uint32_t i, Lane lane, Piece* piece);
  // Says in the piece of entry i which entry of which group it is, for filters that watch pieces.
  void TellOrigin(uint32_t i, Piece* piece);
  // Ends the group with the flush that is the next entry.
  void TakeFlush() {
    Set(next_++, 0, 0);
    wants_sync_ = true;
  }
  // Prepares the piece of entry i, or answers the entry: it is wrong, or of length zero.
  bool IsWithoutPiece(uint32_t i, Lane lane, Piece* piece);
  // Whether entry i is not run, and its error set: its plan stops it, or it is a write that must not begin. Else its
  // piece is cut to what lies in the device.
  bool IsStopped(uint32_t i, Piece& piece);
  // Whether entry i is not run, and its error set, by the range alone: no filter has looked at it.
  bool IsRefused(uint32_t i, Piece& piece);
  // Takes over what its piece has moved.
  void SetMoved(uint32_t i, const Piece& piece) {
    Set(i, static_cast<uint32_t>(arrays_.bcount[i] - piece.moved), piece.status.err);
  }
  // Whether entry i was stopped when it was admitted.
  bool IsStopped(uint32_t i) const { return !plans_.empty() && plans_[i].stop_at == 0; }
  // Entries from i on, at least one, that can go to the host as one write. Grows `piece`, the first one, over them.
  uint32_t Merge(uint32_t i, Piece* piece);
  // Runs `n` entries from i on as the one write that `piece` is, and gives each its own outcome.
  void RunMerged(uint32_t i, uint32_t n, Piece& piece);
  // Tells the strategy of entry i while the one before it runs: copying takes turns with fetching then.
  void Expect(uint32_t i, Lane lane);
  // -> false when the entry would wait and must not.
  bool RunSingle(uint32_t i, Piece& piece);
  // Whether write i must not begin, its error set: a flush before it failed, or it is durable and a sync has failed
  // before. Else notes that a durable one wants the sync.
  bool RefuseWrite(uint32_t i);
  // The outcome of entry i. `err` as in Status, positive; the slot holds it negative, as errno of Node is.
  void Set(uint32_t i, uint32_t resid, int err) {
    arrays_.resid[i] = resid;
    arrays_.error[i] = -err;
  }
  const BatchArrays arrays_;
  uint8_t* const arena_;
  const size_t arena_size_;
  const uint32_t count_;
  const BatchTarget target_;
  const FilterTraits filters_;
  const bool expects_;   // of the entry to the strategies
  OperationSet starts_;  // what entries are started: the medium answers it later, and no filter decided on one
  // What each entry was admitted with; empty while no filter asks for that, and each is planned as it runs.
  std::vector<Plan> plans_;
  // Of each entry, where a filter watches requests; else empty.
  std::vector<TraceContext> traces_;
  // Entries below it have an outcome.
  uint32_t next_ = 0;
  // Where the group under way begins.
  uint32_t group_ = 0;
  BatchGroup shared_;  // of the pieces of that group
  // Some entry of it that has run is a flush, or a durable write.
  bool wants_sync_ = false;
  // What the first flush said that failed.
  Status barred_;
};

}  // namespace blk

#endif  // RUMPBLK_CORE_REQUEST_BATCH_H_
