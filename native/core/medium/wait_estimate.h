// WaitEstimate: whether a read is likely to wait for a disk, by what the ones before it met. To ask the kernel for
// bytes that are not in memory costs as much as to have them read: it begins to read them, on the thread that asks, one
// request of the disk at a time.
// Thread-safe, without locks: a record that gets lost changes nothing that matters, since the estimate is a guess.
#ifndef RUMPBLK_CORE_MEDIUM_WAIT_ESTIMATE_H_
#define RUMPBLK_CORE_MEDIUM_WAIT_ESTIMATE_H_

#include <atomic>

namespace blk {

class WaitEstimate {
 public:
  // So many reads in a row that had to wait, and the next ones are taken to have to, but for one of kTried, which is
  // tried: the first that need not ends that.
  static constexpr unsigned kInARow = 8;
  static constexpr unsigned kTried = 8;

  WaitEstimate() = default;
  WaitEstimate(const WaitEstimate&) = delete;
  WaitEstimate& operator=(const WaitEstimate&) = delete;

  // Whether the next read is taken to have to wait.
  bool AssumesWaiting() {
    if (waited_.load(std::memory_order_relaxed) < kInARow) return false;
    return assumed_.fetch_add(1, std::memory_order_relaxed) % kTried != kTried - 1;
  }

  // A read that was tried had to wait, or had not.
  void Record(bool waited) {
    const unsigned before = waited_.load(std::memory_order_relaxed);
    const unsigned now = waited ? (before < kInARow ? before + 1 : before) : 0;
    if (now != before) waited_.store(now, std::memory_order_relaxed);
  }

 private:
  std::atomic<unsigned> waited_{0};  // so many in a row
  std::atomic<unsigned> assumed_{0};
};

}  // namespace blk

#endif  // RUMPBLK_CORE_MEDIUM_WAIT_ESTIMATE_H_
