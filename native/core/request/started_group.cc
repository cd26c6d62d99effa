#include "core/request/started_group.h"

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <utility>

#include "core/base/no_memory.h"
#include "core/base/sync.h"

namespace blk {

namespace {

// What of the arena a piece touches, as addresses from, to: nothing of a discard and of zeros.
std::pair<uint64_t, uint64_t> InArena(const Piece& piece) {
  const uint64_t from = reinterpret_cast<uintptr_t>(piece.data);
  return {from, MovesBytes(piece.operation) ? from + piece.size : from};
}

}  // namespace

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
    : run_(run),
      cancel_(cancel),
      tries_(run.target_.tells_memory),
      entries_(std::min<size_t>(run.count_ - run.next_, kMost)) {}

void StartedGroup::Start(void (*done)(void* owner), void* owner) {
  done_ = done;
  owner_ = owner;
  over_ = at_wait_ = false;
  GoOn();
}

void StartedGroup::Run() {
  WaveEnd end;
  waited_for_ = &end;
  while (!over_) {
    StartWave();
    if (Leave()) continue;
    MutexLock lock(end.mu);
    while (!end.here) end.came.Wait(end.mu);
    end.here = false;
  }
  End();
}

void StartedGroup::GoOn() {
  while (!over_) {
    StartWave();
    if (!Leave()) return;
  }
  End();
  done_(owner_);
}

void StartedGroup::End() {
  if (IsCancelled(cancel_)) {
    run_.CancelRest();
    at_wait_ = false;
  } else if (run_.next_ < run_.count_ && !at_wait_) {
    run_.TakeFlush();
  }
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
  if (tries_) {
    const Here here = DoHere(i, piece);
    if (here != Here::kIsToStart) return here == Here::kDone;
  }
  if (run_.IsStopped(i, piece)) return run_.next_++, true;
  if (Meets(piece) || !Note(piece)) return false;
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

StartedGroup::Here StartedGroup::DoHere(uint32_t i, Piece piece) {
  const bool read = piece.operation == Operation::kRead;
  if (!read && run_.IsStarted(piece)) return Here::kIsToStart;
  const uint32_t served = run_.Merge(i, &piece);
  if (Meets(piece)) return Here::kHasToWait;
  if (served > 1) {
    run_.RunMerged(i, served, piece);
  } else {
    piece.nowait = read;
    // Whoever waits for the end of the group may also wait for a page.
    piece.may_fault = waited_for_ != nullptr;
    bool done = run_.RunSingle(i, piece);
    if (!done && piece.status.err == EOPNOTSUPP) {
      // Of a host that cannot tell: it has its files in memory, or is as good as its threads.
      piece.nowait = false;
      done = run_.RunSingle(i, piece);
    }
    if (!done) return Here::kIsToStart;
  }
  run_.next_ += served;
  return Here::kDone;
}

bool StartedGroup::Meets(const Piece& piece) const {
  const uint64_t at = piece.position, end = at + piece.size;
  const auto [from, to] = InArena(piece);
  if (written_.Meets(at, end) || filled_.Meets(from, to)) return true;
  return piece.operation == Operation::kRead ? sent_.Meets(from, to) : read_.Meets(at, end);
}

bool StartedGroup::Note(const Piece& piece) {
  if (piece.size == 0) return true;
  const bool read = piece.operation == Operation::kRead;
  const uint64_t at = piece.position, end = at + piece.size;
  const auto arena = InArena(piece);
  const bool noted = HadMemory([&] {
    (read ? read_ : written_).Add(at, end);
    if (arena.first < arena.second) (read ? filled_ : sent_).Add(arena.first, arena.second);
  });
  alone_ = !noted;
  return noted || used_ == 0;
}

void StartedGroup::OnFinished(StartedPiece& piece) {
  const Entry& entry = *static_cast<Entry*>(piece.owner);
  StartedGroup& group = *entry.group;
  group.run_.SetMoved(entry.index, piece);
  if (!group.Leave()) return;
  if (group.waited_for_ == nullptr) return group.GoOn();
  WaveEnd& end = *group.waited_for_;
  MutexLock lock(end.mu);
  end.here = true;
  // Under the lock: it is gone as soon as who waits has seen it.
  end.came.NotifyAll();
}

}  // namespace blk
