// Recording: what was asked of some devices, in one order for all of them, and what they held before. Numbers count
// from 1: one when a request begins, one when it is answered, one for a mark.
// Stores to memory that was lent are found by comparing it with what it held: when it is returned, before a flush and a
// mark, and when the events are asked for. What is stored twice in between is seen once.
// Shared by pointer. Thread-safe; Add() is called by one thread, and not of one that is live. Lock order: lent_mu_
// before mu_, which is a leaf, and before those of bases and the store; the base of a domain is read without mu_.
#ifndef RUMPBLK_LAB_RECORDING_H_
#define RUMPBLK_LAB_RECORDING_H_

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/base/sync.h"
#include "core/request/request_log.h"
#include "lab/base.h"
#include "lab/data_store.h"
#include "lab/event.h"

namespace blk::lab {

// A device that is recorded: where it lies, and which domain that is: what one flush makes durable, a disk.
struct Part {
  MediumSpan span;
  uint16_t domain = 0;
};

class Recording : public std::enable_shared_from_this<Recording> {
 public:
  struct Setting {
    uint64_t atomic_unit = 512;  // bytes
    uint64_t memory = uint64_t{256} << 20;
    std::string folder;
    bool compares = false;  // whether leases are allowed, and compared
  };

  Recording(HostIo& host, Setting setting)
      : setting_(std::move(setting)), store_(host, setting_.memory, setting_.folder) {}
  // Ends the logs.
  ~Recording();
  Recording(const Recording&) = delete;
  Recording& operator=(const Recording&) = delete;

  // Before anything is recorded. -> the domain.
  uint16_t AddDomain(std::unique_ptr<Base> base);
  // Errors: EBUSY it overlaps another part of the domain.
  Status AddPart(const Part& part);
  // The log of a domain, and what ends it once nobody wants the recording any more.
  std::shared_ptr<RequestLog> LogOf(uint16_t domain);
  void OnEnd(std::function<void()> end) { ends_.push_back(std::move(end)); }

  // -> its number.
  uint64_t Mark() EXCLUDES(lent_mu_, mu_);
  // Makes events of what was stored to memory that is lent, since it was looked at.
  void Compare() EXCLUDES(lent_mu_, mu_);
  // Whether memory was lent: values that were there between two looks are in no event.
  bool misses_stores() const { return was_lent_.load(std::memory_order_relaxed); }
  void SetStack(int32_t stack) { stack_.store(stack, std::memory_order_relaxed); }
  // Nothing more is recorded, but for the ends of what is under way; what is overwritten from here on is kept all the
  // same. Idempotent. Errors: status().
  Status Stop() EXCLUDES(lent_mu_, mu_);
  // What has kept it from being whole: no memory, no room.
  Status status() const EXCLUDES(mu_);

  // Adds an event to a recording that is loaded; numbers are the caller's. `event.data` is copied. Errors: EINVAL it
  // does not lie in its part · those of DataStore::Keep().
  Status Add(Event event) EXCLUDES(mu_);

  // A copy of all events, by their begin.
  std::vector<Event> Events() const EXCLUDES(mu_);
  // Changes with the events.
  uint64_t version() const EXCLUDES(mu_);
  // The number after all that events have.
  uint64_t end() const EXCLUDES(mu_);
  size_t requests() const EXCLUDES(mu_);
  size_t marks() const EXCLUDES(mu_);

  const std::vector<Part>& parts() const { return parts_; }
  const Setting& setting() const { return setting_; }
  const DataStore& store() const { return store_; }
  Base& BaseOf(const Part& part) const { return *bases_[part.domain]; }

 private:
  class Log;
  static constexpr size_t kChunk = 1024;
  // What is lent, and what it held when it was looked at last.
  struct Looked {
    LentStores stores;
    uint16_t domain = 0;
    uint64_t since = 0;  // a number of its own, from then
    std::vector<uint8_t> held;
  };

  void Begun(uint16_t domain, Log& log, Piece& piece, MediumOffset at, bool unsafe) EXCLUDES(mu_);
  void Ended(Piece& piece) EXCLUDES(mu_);
  void GroupEnded(BatchGroup& group, Status synced) EXCLUDES(mu_);

  Status Lent(uint16_t domain, const LentStores& stores) EXCLUDES(lent_mu_, mu_);
  void Returned(const LentStores& stores) EXCLUDES(lent_mu_, mu_);
  void CompareOne(Looked& looked) REQUIRES(lent_mu_) EXCLUDES(mu_);
  // Adds [from, to) of what is lent, whole atoms but for its ends, to the events.
  Status AddStores(const Looked& looked, size_t from, size_t to) REQUIRES(lent_mu_) EXCLUDES(mu_);

  // What `piece` writes, kept; null for what writes nothing.
  Result<const uint8_t*> DataOf(const Piece& piece);
  Event* NewEvent() REQUIRES(mu_);
  uint64_t NextNumber() REQUIRES(mu_) { return last_ = next_++; }
  // The events of the piece, one for each part that it meets, as a list.
  Event* MakeEvents(uint16_t domain, const Piece& piece, MediumOffset at, const uint8_t* data) REQUIRES(mu_);
  uint64_t NumberOf(Log& log, const Piece& piece) REQUIRES(mu_);
  void SetMoved(Event* events, uint64_t moved, int err) REQUIRES(mu_);
  void Acknowledge(Event* events, uint64_t moved, int err, uint64_t now) REQUIRES(mu_);
  // Of a durable request in parts: those before the last are durable with it.
  void EndParts(const Piece& piece, Event* events) REQUIRES(mu_);
  void Fail(Status status) EXCLUDES(mu_);
  // One that keeps this object, for what has begun and not ended.
  void Keep() REQUIRES(mu_);
  // -> what the caller lets go of without the lock.
  [[nodiscard]] std::shared_ptr<Recording> LetGo() REQUIRES(mu_);

  const Setting setting_;
  DataStore store_;
  std::vector<std::unique_ptr<Base>> bases_;
  std::vector<Part> parts_;
  std::vector<std::shared_ptr<Log>> logs_;
  std::vector<std::function<void()>> ends_;
  std::atomic<int32_t> stack_{-1};
  std::atomic<bool> stopped_{false};
  std::atomic<bool> was_lent_{false};

  mutable Mutex lent_mu_;
  std::vector<Looked> lent_ GUARDED_BY(lent_mu_);

  mutable Mutex mu_;
  std::vector<std::unique_ptr<std::array<Event, kChunk>>> chunks_ GUARDED_BY(mu_);
  size_t count_ GUARDED_BY(mu_) = 0;
  size_t marks_ GUARDED_BY(mu_) = 0;
  uint64_t next_ GUARDED_BY(mu_) = 1;
  uint64_t last_ GUARDED_BY(mu_) = 0;  // the highest number that an event has: some are given to nobody
  uint64_t version_ GUARDED_BY(mu_) = 0;
  Status failed_ GUARDED_BY(mu_);
  // Parts of durable requests, by what they are parts of.
  std::vector<std::pair<const void*, Event*>> parts_under_way_ GUARDED_BY(mu_);
  size_t under_way_ GUARDED_BY(mu_) = 0;
  std::shared_ptr<Recording> self_ GUARDED_BY(mu_);
};

}  // namespace blk::lab

#endif  // RUMPBLK_LAB_RECORDING_H_
