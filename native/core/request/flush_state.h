// FlushState: what of one disk is not durable yet, the sync error that sticks to it, and which bytes are known to be
// lost. The one place that decides whether a sync is needed, who does it, and what every later flush and durable write
// answers after one failed.
// Thread-safe. Sync() calls the given function without holding its lock; callers that arrive meanwhile share the next
// sync. Who must not wait starts a FlushWaiter instead. Lock order: mu_ is a leaf.
// Why: an error of fsync(2) is told once and the pages are clean afterwards; a second, successful fsync proves nothing.
#ifndef RUMPBLK_CORE_REQUEST_FLUSH_STATE_H_
#define RUMPBLK_CORE_REQUEST_FLUSH_STATE_H_

#include <atomic>
#include <cstdint>
#include <list>
#include <optional>

#include "core/base/span_set.h"
#include "core/base/status.h"
#include "core/base/sync.h"
#include "core/base/units.h"

namespace blk {

// Memory through which bytes of the medium are stored to unseen, and may be lost unseen: a lease. Not owned through
// this.
class StoreSource {
 public:
  // The part of the medium whose stores did not reach it; empty while there is none, and only ever larger. Thread: any,
  // under FlushState's mutex: it takes no lock that is held around FlushState.
  virtual MediumSpan Lost() const = 0;

 protected:
  ~StoreSource() = default;

 private:
  friend class FlushState;
  // FlushState's, under its mutex.
  MediumSpan noted_;  // of Lost(), what it has counted
  // Where it is listed; empty while it is not, and after a Reset().
  std::optional<std::list<StoreSource*>::iterator> listed_;
};

// One who wants to know when all is durable, and waits without a thread. Plain data; whoever makes it keeps it until
// `done` is called.
struct FlushWaiter {
  // Begins a sync of the medium and returns; its end is told to FlushState::Synced(), by any thread, perhaps before
  // this returns. Called once at most, by any thread.
  void (*begin)(FlushWaiter& waiter) = nullptr;
  // Called once, with what FlushState::Sync() would have answered, by any thread, perhaps before Start() has returned;
  // *this may be gone when it returns. It does not wait.
  void (*done)(FlushWaiter& waiter, Status status) = nullptr;
  void* owner = nullptr;      // for both
  bool reached_host = false;  // whether its `begin` was called; before `done`

  // FlushState's.
  uint64_t wanted = 0, losses = 0;
  Status status;
  bool returned = false, ended = false;  // of `begin`: which of the two has come
  FlushWaiter* next = nullptr;
};

// One for each disk, shared by its opens and partitions.
class FlushState {
 public:
  // Notes that a write has moved bytes that no sync has covered. Called after they moved and before that write
  // completes, so that a flush that starts after its completion covers it. Release, with the acquire in Sync(): who
  // sees the mark syncs what it stands for.   Thread: any.
  void MarkDirty() { written_.fetch_add(1, std::memory_order_release); }

  // Brackets a time in which bytes of the medium may be stored to unseen: all the while, and until the first sync that
  // starts after its end, there is something to sync. A loss that was not counted before ends it with `why`, which
  // sticks. One that outlasts the last close has nobody left to tell. Each Begin has its End, before `source` goes.
  void BeginStores(StoreSource& source) EXCLUDES(mu_);
  void EndStores(StoreSource& source, Status why) EXCLUDES(mu_);

  // What sources that have not ended have lost so far, as the smallest span that holds all of it.
  MediumSpan LostStores() EXCLUDES(mu_);
  // Notes bytes that are lost for another reason.
  void NoteLoss(MediumSpan lost) EXCLUDES(mu_) {
    MutexLock lock(mu_);
    untold_.Add(lost);
  }
  // The losses in `within` that no call has taken before, as the smallest span that holds them all: each is told once,
  // to who has those bytes.
  MediumSpan TakeLoss(MediumSpan within) EXCLUDES(mu_);

  // Makes everything marked before the call durable by calling `sync`, which gives a Status, at most once; not at all
  // when all of it is durable already. `*reached_host` tells whether this call made the sync.
  // Errors: those of `sync`, and the sticky one. All of them stick but those that IsTold() names, which are this call's
  // alone.
  // Locks: EXCLUDES(mu_).
  template <typename SyncFn>
  Status Sync(SyncFn&& sync, bool* reached_host) EXCLUDES(mu_);

  // The same for who must not wait: `waiter` begins the sync where one is needed, and is told of its end.
  // Thread: any.
  void Start(FlushWaiter& waiter) EXCLUDES(mu_);
  // The sync that waiter.begin() began has ended.   Thread: any; it does not wait.
  void Synced(FlushWaiter& waiter, Status status) EXCLUDES(mu_);

  // The first sync error since the last close, or ok: what flushes and durable writes answer before they try. Without
  // the lock as long as all is well.   Thread: any.
  Status sticky() const { return has_error_.load(std::memory_order_acquire) ? StickyLocked() : Status::Ok(); }

  // Notes a sync that failed outside Sync(): msync of a window, a durable write. -> `status`, for the caller to return.
  // Only the first one sticks, and none that IsTold() names; this one is its own caller's all the same.
  Status Fail(Status status) EXCLUDES(mu_) {
    MutexLock lock(mu_);
    Remember(status);
    return status;
  }

  // Starts afresh after the last close. What no sync has covered, because the mode was unsafe or the sync failed, stays
  // dirty: a flush of the next open is about that, too. REQUIRES: no open of the disk is left.
  void Reset() EXCLUDES(mu_) {
    MutexLock lock(mu_);
    for (StoreSource* source : sources_) source->listed_.reset();
    sources_.clear();
    untold_ = {};
    error_ = Status::Ok();
    has_error_.store(false, std::memory_order_release);
  }

 private:
  // Those who wait without a thread, in the order of their coming.
  struct Waiters {
    FlushWaiter* first = nullptr;
    FlushWaiter* last = nullptr;

    void Push(FlushWaiter& waiter) {
      waiter.next = nullptr;
      (first == nullptr ? first : last->next) = &waiter;
      last = &waiter;
    }
  };

  // The marks that who asks now wants covered. Nobody sees the stores through a lease, so while there is one, something
  // is always dirty.
  uint64_t Wanted() {
    if (stores_.load(std::memory_order_acquire) > 0) MarkDirty();
    return written_.load(std::memory_order_acquire);
  }
  // What who wants `wanted` marks covered is answered without another sync; nothing where it takes one. `losses`: what
  // losses_told_ was when it came.
  std::optional<Status> Known(uint64_t wanted, uint64_t losses) const REQUIRES(mu_);
  // Notes that a sync begins.   REQUIRES: none is under way.
  void BeginSync() REQUIRES(mu_);
  // What the end of a sync means. -> what who made it is answered.
  Status EndSync(Status status) REQUIRES(mu_);
  // The waiters that are answered now, with their status; and the one that is to begin the next sync, which is noted to
  // have begun, or null.
  Waiters TakeAnswered(FlushWaiter** next) REQUIRES(mu_);
  // Tells those, and lets `next` begin.
  void GoOn(Waiters answered, FlushWaiter* next) EXCLUDES(mu_);

  Status StickyLocked() const EXCLUDES(mu_) {
    MutexLock lock(mu_);
    return error_;
  }
  // Notes what a source has lost since the last call. -> all that it has lost.
  MediumSpan Hear(StoreSource& source) REQUIRES(mu_);
  // Whether a sync error is over once it was told. EINTR and ENOTCONN have told nothing yet: what was dirty still is,
  // and a medium whose connection is lost tells itself what is lost with it, once: the next sync is about what came
  // after.
  static bool IsTold(Status status) {
    return status.err == EINTR || status.err == ENOTCONN || status.why == Why::kNbdUnflushed;
  }
  // The first error sticks, later ones are its consequences.
  void Remember(Status status) REQUIRES(mu_) {
    if (!error_.ok() || IsTold(status)) return;
    error_ = status;
    // Behind error_, for sticky(), which then takes the lock and finds it.
    has_error_.store(true, std::memory_order_release);
  }

  std::atomic<uint64_t> written_{0};  // writes marked so far
  std::atomic<uint32_t> stores_{0};   // sources that may be stored to
  std::atomic<bool> has_error_{false};
  mutable Mutex mu_;
  // A sync has ended.
  CondVar done_;
  uint64_t synced_ GUARDED_BY(mu_) = 0;  // marks that a successful sync has covered
  // One at a time: its end tells several at once, and two would only write the same pages.
  bool syncing_ GUARDED_BY(mu_) = false;
  uint64_t covering_ GUARDED_BY(mu_) = 0;  // marks that it covers
  Waiters waiting_ GUARDED_BY(mu_);        // none unless a sync is under way
  // Of syncs that have told of a loss which does not stick: how many, and what the last one was about.
  uint64_t losses_told_ GUARDED_BY(mu_) = 0;
  uint64_t lost_covered_ GUARDED_BY(mu_) = 0;
  Status lost_status_ GUARDED_BY(mu_);
  // The one that sticks; ok while there is none.
  Status error_ GUARDED_BY(mu_);
  // Between their BeginStores() and EndStores(). A list, whose places stay: to end one of tens of thousands is no
  // search.
  std::list<StoreSource*> sources_ GUARDED_BY(mu_);
  SpanSet untold_ GUARDED_BY(mu_);  // lost, and not told by TakeLoss()
};

template <typename SyncFn>
Status FlushState::Sync(SyncFn&& sync, bool* reached_host) {
  *reached_host = false;
  const uint64_t wanted = Wanted();
  MutexLock lock(mu_);
  const uint64_t losses = losses_told_;
  // A sync that runs already may have begun before our writes: wait for it, then look whether one more is needed.
  while (syncing_ && !Known(wanted, losses)) done_.Wait(mu_);
  if (const auto known = Known(wanted, losses)) return *known;

  BeginSync();
  lock.Unlock();
  Status status = sync();
  lock.Lock();
  *reached_host = true;
  status = EndSync(status);
  FlushWaiter* next = nullptr;
  const Waiters answered = TakeAnswered(&next);
  lock.Unlock();
  GoOn(answered, next);
  return status;
}

}  // namespace blk

#endif  // RUMPBLK_CORE_REQUEST_FLUSH_STATE_H_
