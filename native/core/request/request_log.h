// RequestLog: who is told of each request that changes a disk, or makes it durable, when it begins and when it is
// answered. DiskLog: the one that a disk has, if any. Thread-safe. Lock order: DiskLog::mu_ is a leaf.
#ifndef RUMPBLK_CORE_REQUEST_REQUEST_LOG_H_
#define RUMPBLK_CORE_REQUEST_REQUEST_LOG_H_

#include <cerrno>
#include <cstdint>
#include <memory>
#include <utility>

#include "core/base/status.h"
#include "core/base/sync.h"
#include "core/base/units.h"
#include "core/request/piece.h"

namespace blk {

class RequestLog;

// What the entries of a batch from one flush to the next have in common: they begin together, in their order, and a
// sync behind them serves those that are to be durable. Owned by who runs the batch.
struct BatchGroup {
  uint32_t first = 0;    // index of its first entry
  uint32_t entries = 0;  // of the batch, from that one on
  // The log's, from the first of its pieces that is logged on.
  RequestLog* log = nullptr;
  uint64_t number = 0;
  void* waiting = nullptr;
};

class RequestLog {
 public:
  virtual ~RequestLog() = default;

  // `piece`, which writes, discards, zeroes, copies or flushes, is about to run at `at` of the medium. Sets
  // piece.logged where it is to hear of the end. `unsafe`: of an open under CacheMode::kUnsafe.   Thread: any; it may
  // wait for the medium.
  virtual void Begun(Piece& piece, MediumOffset at, bool unsafe) = 0;
  // It is complete, and nobody knows yet. Once, of a piece with `logged`.
  virtual void Ended(Piece& piece) = 0;
  // The sync behind a group has ended, or none was needed. Once, of a group with `log`.
  virtual void GroupEnded(BatchGroup& group, Status synced) = 0;
  // What requests that are admitted now came from, -1 where nobody has said.
  virtual int32_t stack() const = 0;
};

class DiskLog {
 public:
  // Null while there is none. It lives as long as the caller keeps it, and while a piece that it was told of runs.
  std::shared_ptr<RequestLog> Get() const EXCLUDES(mu_) {
    MutexLock lock(mu_);
    return log_;
  }
  // Errors: EBUSY it has one.
  Status Set(std::shared_ptr<RequestLog> log) EXCLUDES(mu_) {
    MutexLock lock(mu_);
    if (log_) return {EBUSY, Op::kTrack};
    log_ = std::move(log);
    return Status::Ok();
  }
  // Takes it out. -> false: it is another one, or none.
  bool Clear(const RequestLog& log) EXCLUDES(mu_) {
    std::shared_ptr<RequestLog> gone;  // its end is not under the lock
    MutexLock lock(mu_);
    if (log_.get() != &log) return false;
    gone = std::move(log_);
    lock.Unlock();
    return true;
  }
  // What is stored through a lease would escape it: there are none meanwhile.
  bool on() const EXCLUDES(mu_) { return Get() != nullptr; }

 private:
  mutable Mutex mu_;
  std::shared_ptr<RequestLog> log_ GUARDED_BY(mu_);
};

}  // namespace blk

#endif  // RUMPBLK_CORE_REQUEST_REQUEST_LOG_H_
