// FreezeGate: what passes at any time by many threads, and now and then stands still: whoever freezes it waits for what
// is under way and holds up what comes, until it thaws. A pass takes no lock while nothing is frozen.
// Thread-safe. Lock order: mu_ is a leaf. One freeze at a time; the thread that freezes has no pass.
#ifndef RUMPBLK_CORE_MEDIUM_FREEZE_GATE_H_
#define RUMPBLK_CORE_MEDIUM_FREEZE_GATE_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <thread>

#include "core/base/sync.h"

namespace blk {

class FreezeGate {
 public:
  // A pass under way, on one thread.
  class Pass {
   public:
    // Waits while it is frozen; not `may_wait`: there is no pass then.
    explicit Pass(FreezeGate& gate, bool may_wait = true) : gate_(gate), count_(gate.Enter(may_wait)) {}
    ~Pass() {
      if (count_ != nullptr) gate_.Leave(*count_);
    }
    Pass(const Pass&) = delete;
    Pass& operator=(const Pass&) = delete;

    explicit operator bool() const { return count_ != nullptr; }

   private:
    FreezeGate& gate_;
    std::atomic<uint64_t>* const count_;
  };

  // Frozen for a scope. The same thread makes no Pass meanwhile.
  class Frozen {
   public:
    explicit Frozen(FreezeGate& gate) : gate_(gate) { gate_.Freeze(); }
    ~Frozen() { gate_.Thaw(); }
    Frozen(const Frozen&) = delete;
    Frozen& operator=(const Frozen&) = delete;

   private:
    FreezeGate& gate_;
  };

 private:
  // Threads that pass count on lines of their own, mostly.
  struct alignas(64) Count {
    std::atomic<uint64_t> passes{0};
  };

  // Sequentially consistent, as in Freeze(): of a pass that counts itself and a freeze that sets its flag, one sees the
  // other. -> the count to take it off from again; null: frozen, and it may not wait.
  std::atomic<uint64_t>* Enter(bool may_wait) EXCLUDES(mu_) {
    auto& count = counts_[std::hash<std::thread::id>()(std::this_thread::get_id()) % counts_.size()].passes;
    for (;;) {
      count.fetch_add(1);
      if (!frozen_.load()) return &count;
      Leave(count);
      if (!may_wait) return nullptr;
      MutexLock lock(mu_);
      while (frozen_.load()) changed_.Wait(mu_);
    }
  }
  void Leave(std::atomic<uint64_t>& count) EXCLUDES(mu_) {
    count.fetch_sub(1);
    if (!frozen_.load()) return;
    // Under the lock, so that it does not come between a look at the counts and the wait for them.
    MutexLock lock(mu_);
    changed_.NotifyAll();
  }
  void Freeze() EXCLUDES(mu_) {
    MutexLock lock(mu_);
    while (frozen_.load()) changed_.Wait(mu_);
    frozen_.store(true);
    for (Count& count : counts_) {
      while (count.passes.load() != 0) changed_.Wait(mu_);
    }
  }
  void Thaw() EXCLUDES(mu_) {
    MutexLock lock(mu_);
    frozen_.store(false);
    changed_.NotifyAll();
  }

  std::array<Count, 16> counts_;
  std::atomic<bool> frozen_{false};  // written under mu_
  Mutex mu_;
  CondVar changed_;
};

}  // namespace blk

#endif  // RUMPBLK_CORE_MEDIUM_FREEZE_GATE_H_
