// RangeLocks: the books of one host file's lock: which opens want which range locked and how, and which ranges are
// locked by now. A disk and its partitions share one descriptor, and so one lock, whose parts must not undo each other.
// Makes no system call. Not thread-safe: HostMedium guards it.
#ifndef RUMPBLK_CORE_MEDIUM_RANGE_LOCKS_H_
#define RUMPBLK_CORE_MEDIUM_RANGE_LOCKS_H_

#include <cstdint>
#include <vector>

#include "core/host/host_io.h"

namespace blk {

// Wants are counted, one an open; locks are noted as they were taken, so that a change that failed half-way is asked
// for again, or undone, by the next Changes(). Linear in the number of opens: a disk has few.
class RangeLocks {
 public:
  // Bytes of the host file, begin inclusive. An empty one wants nothing.
  struct Range {
    uint64_t begin = 0;
    uint64_t end = 0;
  };
  // A stretch that is locked otherwise than it should be.
  struct Change {
    Range range;
    LockKind wanted = LockKind::kNone;
    LockKind held = LockKind::kNone;
    bool on_writer = false;  // where what is held lies: on the writer's descriptor, or on the reader's
  };

  // Counts in an open that wants `kind` on `range`, and out again. REQUIRES: Remove() gets what Add() got.
  void Add(Range range, LockKind kind) { wants_.push_back({range, kind}); }
  void Remove(Range range, LockKind kind);
  bool has_writer() const;
  // The strongest that is wanted of any byte.
  LockKind strongest() const;

  // What to do, in order of the host file: every byte gets the strongest lock that is wanted of it.
  std::vector<Change> Changes() const;
  // Makes sure of the memory that the next Note() takes: once the host has locked, the books have to say so.
  void MakeRoom() { spare_.reserve(held_.size() + 2); }
  // Notes that the stretch of a change is locked so by now, and on which descriptor. REQUIRES: MakeRoom() before.
  void Note(const Change& change, LockKind kind, bool on_writer);
  // Notes that the writer's descriptor was closed, and its locks with it.
  void ForgetWriter();

 private:
  struct Want {
    Range range;
    LockKind kind;
  };
  struct Held {
    Range range;
    LockKind kind;
    bool on_writer;
  };

  std::vector<uint64_t> Boundaries() const;
  Change At(Range range) const;

  std::vector<Want> wants_;
  std::vector<Held> held_;   // disjoint
  std::vector<Held> spare_;  // what Note() builds the next one in
};

}  // namespace blk

#endif  // RUMPBLK_CORE_MEDIUM_RANGE_LOCKS_H_
