// StartedGroup: the entries of a group of a batch on a medium that answers later: as many as there are under way at
// once, but for those that touch what another one under way touches, on the device or in the arena: they wait until all
// have finished, so that it is as if the entries ran one after the other. Used by one thread at a time; its pieces
// finish on any.
#ifndef RUMPBLK_CORE_REQUEST_STARTED_GROUP_H_
#define RUMPBLK_CORE_REQUEST_STARTED_GROUP_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

#include "core/base/sync.h"
#include "core/request/batch.h"
#include "core/request/started_piece.h"

namespace blk {

// What is under way touches, as stretches [begin, end) that do not meet. Not thread-safe.
class Stretches {
 public:
  bool Meets(uint64_t begin, uint64_t end) const;
  // REQUIRES: begin < end.
  void Add(uint64_t begin, uint64_t end);
  void Clear() { ends_.clear(); }

 private:
  std::map<uint64_t, uint64_t> ends_;  // by begin
};

class StartedGroup {
 public:
  // Finds the memory for what is going to be under way.   REQUIRES: entries are left; `run` outlives this object.
  StartedGroup(BatchRun& run, const std::atomic<bool>* cancel);
  StartedGroup(const StartedGroup&) = delete;
  StartedGroup& operator=(const StartedGroup&) = delete;

  // Begins the rest of the group, as BatchRun::RunGroup() would run it, up to an entry that the medium does not answer
  // later: the medium's own thread must not wait for it. `done(owner)` is called once, when it is over, by any thread,
  // perhaps before this returns; *this may be gone then. Again for the next group.   REQUIRES: none is under way, and
  // entries are left.
  void Start(void (*done)(void* owner), void* owner);
  // The same, and waits for the end.   Thread: any but the medium's own.
  void Run();
  // Whether it has ended before such an entry.   REQUIRES: it is over.
  bool stopped_at_wait() const { return at_wait_; }

 private:
  // An entry under way.
  struct Entry {
    StartedPiece piece;
    StartedGroup* group;
    uint32_t index;
  };
  static constexpr size_t kMost = 4096;     // entries under way at once
  static constexpr size_t kTogether = 128;  // entries that are sent on their way together at most

  // Starts what can be, wave by wave. *this may be gone when it returns.
  void GoOn();
  // All waves are over.
  void End();
  // Starts entries until one has to wait for those under way, or the group is over.
  void StartWave();
  // Does entry run_.next_ if it takes no piece, or starts it. -> false when it has to wait.
  bool StartNext();
  // Whether something under way touches what `piece` does.
  bool Meets(const Piece& piece) const;
  // Notes what `piece` touches. -> false without memory for that.
  bool Note(const Piece& piece);
  // Does entry i here, beside those under way, and with it those that go to the host with it, unless it touches what
  // they do, or is better started: a read that would wait, a write that the medium answers later.
  enum class Here : uint8_t { kDone, kHasToWait, kIsToStart };
  Here DoHere(uint32_t i, Piece piece);
  static void OnFinished(StartedPiece& piece);
  // One of the wave has finished, or its start. -> whether that was the last.
  bool Leave() { return under_way_.fetch_sub(1, std::memory_order_acq_rel) == 1; }

  BatchRun& run_;
  const std::atomic<bool>* const cancel_;
  const bool tries_;  // reads are tried before they are started
  std::vector<Entry> entries_;
  size_t used_ = 0;  // of entries_, in this wave
  bool over_ = false;
  bool at_wait_ = false;
  bool alone_ = false;        // what the last one touches could not be noted: none beside it
  Stretches read_, written_;  // of the device
  Stretches filled_, sent_;   // of the arena: by reads, by writes
  // Pieces of the wave that have not finished, and one for who starts them.
  std::atomic<size_t> under_way_{0};
  // Of Run(): where its thread waits for the end of a wave.
  struct WaveEnd {
    Mutex mu;
    CondVar came;
    bool here GUARDED_BY(mu) = false;
  };
  WaveEnd* waited_for_ = nullptr;
  void (*done_)(void* owner) = nullptr;
  void* owner_ = nullptr;
};

}  // namespace blk

#endif  // RUMPBLK_CORE_REQUEST_STARTED_GROUP_H_
