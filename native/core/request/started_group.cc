#include "core/request/started_group.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "core/base/no_memory.h"
#include "core/base/sync.h"

namespace blk {

bool Stretches::Meets(uint64_t begin, uint64_t end) const {
  auto next = ends_.lower_bound(end);
  return next != ends_.begin() && std::prev(next)->second > begin;
}

void Stretches::Add(uint64_t begin, uint64_t end) {
  auto first = ends_.upper_bound(begin);
  if (first != ends_.begin() && std::prev(first)->second >= begin) --first;
  auto last = first;
  for (; last != ends_.end() && last->first <= end; ++last) {
    begin = std::min(begin, last->first);
    end = std::max(end, last->second);
  }
  ends_.erase(first, last);
  ends_[begin] = end;
}

void BatchRun::RunStartedGroup(Lane lane, const std::atomic<bool>* cancel) {
  for (;;) {
    StartedGroup group(*this, cancel);
    group.Run();
    if (!group.stopped_at_wait()) return;
    Piece piece;
    if (!IsWithoutPiece(next_, lane, &piece)) static_cast<void>(RunSingle(next_, piece));  // it may wait
    next_++;
  }
}

StartedGroup::StartedGroup(BatchRun& run, const std::atomic<bool>* cancel)
    : run_(run), cancel_(cancel), entries_(std::min<size_t>(run.count_ - run.next_, kMost)) {}

void StartedGroup::Start(void (*done)(void* owner), void* owner) {
  done_ = done;
  owner_ = owner;
  over_ = at_wait_ = false;
  GoOn();
}

void StartedGroup::Run() {
  struct End {
    Mutex mu;
    CondVar came;
    bool here GUARDED_BY(mu) = false;
  } end;
  Start(
      [](void* owner) {
        End& that = *static_cast<End*>(owner);
        MutexLock lock(that.mu);
        that.here = true;
        // Under the lock: it is gone as soon as who waits has seen it.
        that.came.NotifyAll();
      },
      &end);
  MutexLock lock(end.mu);
  while (!end.here) end.came.Wait(end.mu);
}

void StartedGroup::GoOn() {
  while (!over_) {
    StartWave();
    if (!Leave()) return;
  }
  if (IsCancelled(cancel_)) {
    run_.CancelRest();
    at_wait_ = false;
  } else if (run_.next_ < run_.count_ && !at_wait_) {
    run_.TakeFlush();
  }
  done_(owner_);
}

void StartedGroup::StartWave() {
  under_way_.store(1, std::memory_order_relaxed);
  used_ = 0;
  alone_ = false;
  for (Stretches* stretches : {&read_, &written_, &filled_, &sent_}) stretches->Clear();
  for (;;) {
    over_ = run_.next_ == run_.count_ || IsCancelled(cancel_) || run_.OpOf(run_.next_) == BatchOp::kFlush;
    at_wait_ = !over_ && run_.Waits(run_.next_);
    over_ = over_ || at_wait_;
    if (over_ || alone_ || used_ == entries_.size() || !StartNext()) break;
  }
  if (used_ > 0) run_.target_.entry->Kick();
}

bool StartedGroup::StartNext() {
  const uint32_t i = run_.next_;
  Entry& entry = entries_[used_];
  StartedPiece& piece = entry.piece;
  piece = {};
  if (run_.IsWithoutPiece(i, kSharedLane, &piece)) return run_.next_++, true;
  if (run_.IsStopped(i, piece)) return run_.next_++, true;
  if (!Claim(piece)) return false;
  run_.next_++;
  used_++;
  entry.group = this;
  entry.index = i;
  piece.finish = OnFinished;
  piece.owner = &entry;
  piece.cancel = cancel_;
  // They go together, but no one waits for thousands of others to be made.
  piece.more = used_ % kTogether != 0;
  // Relaxed: whoever finishes it has it from the start below.
  under_way_.fetch_add(1, std::memory_order_relaxed);
  run_.target_.entry->Start(piece);
  return true;
}

bool StartedGroup::Claim(const Piece& piece) {
  if (piece.size == 0) return true;
  const bool read = piece.operation == Operation::kRead;
  const uint64_t at = piece.position, end = at + piece.size;
  // A discard and zeros have nothing in the arena.
  const uint64_t from = reinterpret_cast<uintptr_t>(piece.data),
                 to = MovesBytes(piece.operation) ? from + piece.size : from;
  if (written_.Meets(at, end) || filled_.Meets(from, to)) return false;
  if (read ? sent_.Meets(from, to) : read_.Meets(at, end)) return false;
  const bool noted = HadMemory([&] {
    (read ? read_ : written_).Add(at, end);
    if (from < to) (read ? filled_ : sent_).Add(from, to);
  });
  alone_ = !noted;
  return noted || used_ == 0;
}

void StartedGroup::OnFinished(StartedPiece& piece) {
  const Entry& entry = *static_cast<Entry*>(piece.owner);
  StartedGroup& group = *entry.group;
  group.run_.SetMoved(entry.index, piece);
  if (group.Leave()) group.GoOn();
}

}  // namespace blk
