// RequestLog: who is told of each request that changes a disk, or makes it durable, when it begins and when it is
// answered. DiskLog: those of a disk: one that is live at most, and others that have stopped and are told of what is
// overwritten still, since what was there is theirs. Thread-safe. Lock order: DiskLog::mu_ before what live() takes.
#ifndef RUMPBLK_CORE_REQUEST_REQUEST_LOG_H_
#define RUMPBLK_CORE_REQUEST_REQUEST_LOG_H_

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

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

// Memory of a disk that is lent for stores, which nobody sees one by one. It stays until it is returned.
struct LentStores {
  MediumOffset at;
  const uint8_t* data = nullptr;
  size_t size = 0;
  bool unsafe = false;  // of an open under CacheMode::kUnsafe
};

class RequestLog {
 public:
  virtual ~RequestLog() = default;

  // `piece`, which writes, discards, zeroes, copies or flushes, is about to run at `at` of the medium. Sets
  // piece.logged where it is to hear of the end: of the logs of a disk one does so. `unsafe`: of an open under
  // CacheMode::kUnsafe.   Thread: any; it may wait for the medium.
  virtual void Begun(Piece& piece, MediumOffset at, bool unsafe) = 0;
  // It is complete, and nobody knows yet. Once, of a piece with `logged`.
  virtual void Ended(Piece& piece) = 0;
  // The sync behind a group has ended, or none was needed. Once, of a group with `log`.
  virtual void GroupEnded(BatchGroup& group, Status synced) = 0;
  // What requests that are admitted now came from, -1 where nobody has said.
  virtual int32_t stack() const = 0;
  // Whether it records what it is told of; never again once it does not.
  virtual bool live() const = 0;

  // Whether stores may be made beside what it is told of.
  virtual bool allows_stores() const { return false; }
  // There may be stores from here on. Errors: ENOTSUP it does not allow them · those of keeping what is there.
  virtual Status Lent(const LentStores&) { return {ENOTSUP, Op::kMap}; }
  // There are none any more; the memory is still there. Once, after Lent() was ok.
  virtual void Returned(const LentStores&) {}
};

class DiskLog {
 public:
  using Logs = std::vector<std::shared_ptr<RequestLog>>;

  // Null where there are none. A log lives as long as the caller keeps it, and while a piece that it was told of runs.
  std::shared_ptr<const Logs> Get() const EXCLUDES(mu_) {
    MutexLock lock(mu_);
    return logs_;
  }
  // Errors: EBUSY it has one that is live. Throws std::bad_alloc, and nothing has changed.
  Status Add(const std::shared_ptr<RequestLog>& log) EXCLUDES(mu_) {
    MutexLock lock(mu_);
    auto logs = logs_ ? std::make_shared<Logs>(*logs_) : std::make_shared<Logs>();
    if (std::any_of(logs->begin(), logs->end(), [](const auto& each) { return each->live(); })) {
      return {EBUSY, Op::kTrack};
    }
    logs->push_back(log);
    logs_ = std::move(logs);
    return Status::Ok();
  }
  // Takes it out. -> whether there is none left. Without memory for the others it stays among them, and is told of what
  // it does not want to know.
  bool Remove(const RequestLog& log) EXCLUDES(mu_) {
    std::shared_ptr<const Logs> gone;  // its end is not under the lock
    MutexLock lock(mu_);
    if (!logs_) return true;
    auto kept = std::make_shared<Logs>(*logs_);
    std::erase_if(*kept, [&](const auto& each) { return each.get() == &log; });
    gone = std::exchange(logs_, kept->empty() ? nullptr : std::move(kept));
    const bool none = logs_ == nullptr;
    lock.Unlock();
    return none;
  }
  bool on() const EXCLUDES(mu_) { return Get() != nullptr; }
  // What is stored through a lease would escape a log that does not allow it: there are none meanwhile.
  bool allows_stores() const EXCLUDES(mu_) {
    const auto logs = Get();
    return !logs || std::all_of(logs->begin(), logs->end(), [](const auto& each) { return each->allows_stores(); });
  }
  // Tells all of them that there may be stores. -> those that are to hear of the end; null where there are none.
  // Errors: those of RequestLog::Lent(), and none of them has heard.
  Result<std::shared_ptr<const Logs>> Lend(const LentStores& stores) const EXCLUDES(mu_) {
    auto logs = Get();
    for (size_t i = 0; logs && i < logs->size(); i++) {
      const Status lent = (*logs)[i]->Lent(stores);
      if (lent.ok()) continue;
      while (i-- > 0) (*logs)[i]->Returned(stores);
      return lent;
    }
    return logs;
  }
  // Whether requests are recorded.
  bool live() const EXCLUDES(mu_) {
    const auto logs = Get();
    return logs && std::any_of(logs->begin(), logs->end(), [](const auto& each) { return each->live(); });
  }
  // As that of the log that is live has it, -1 without one.
  int32_t stack() const EXCLUDES(mu_) {
    if (const auto logs = Get()) {
      for (const auto& each : *logs) {
        if (each->live()) return each->stack();
      }
    }
    return -1;
  }

 private:
  mutable Mutex mu_;
  std::shared_ptr<const Logs> logs_ GUARDED_BY(mu_);  // never empty
};

}  // namespace blk

#endif  // RUMPBLK_CORE_REQUEST_REQUEST_LOG_H_
