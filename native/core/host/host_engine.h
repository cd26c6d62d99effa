// HostEngine: transfers of host files that the host does by itself, any number of them under way without a thread for
// each. What it stands for is one pread or pwrite each, no more: loops over short transfers, and what an error means,
// are the caller's. Thread-safe.
#ifndef RUMPBLK_CORE_HOST_HOST_ENGINE_H_
#define RUMPBLK_CORE_HOST_HOST_ENGINE_H_

#include <cstddef>
#include <cstdint>
#include <utility>

namespace blk {

class WaitingThreads;

// Whoever makes it keeps it, its memory and its descriptor until `done` is called.
struct HostTransfer {
  enum class Kind : uint8_t { kRead, kWrite };

  Kind kind = Kind::kRead;
  int fd = -1;
  void* data = nullptr;  // only read from by a write
  size_t size = 0;       // bytes, at most kSegmentSize
  uint64_t offset = 0;
  // Called once, on the engine's own thread, with what the call would have answered: bytes, or a negative errno.
  // -ECANCELED: it was not done, nor any of it. It does not wait; *this may be gone when it returns.
  void (*done)(HostTransfer& transfer, int64_t answer) = nullptr;
  void* owner = nullptr;  // for `done`

  HostTransfer* next = nullptr;  // the engine's, from Put() on
};

// The transfers of one open that wait for their turn: opens take turns. Outlives them; the engine's alone.
class HostLine {
 public:
  HostLine() = default;
  HostLine(const HostLine&) = delete;
  HostLine& operator=(const HostLine&) = delete;

  bool empty() const { return first_ == nullptr; }
  void PushBack(HostTransfer& transfer) {
    transfer.next = nullptr;
    (empty() ? first_ : last_->next) = &transfer;
    last_ = &transfer;
  }
  // REQUIRES: not empty.
  HostTransfer& PopFront() {
    HostTransfer& transfer = *first_;
    first_ = std::exchange(transfer.next, nullptr);
    return transfer;
  }

  HostLine* next = nullptr;  // in the engine's circle of lines that have something waiting

 private:
  HostTransfer* first_ = nullptr;
  HostTransfer* last_ = nullptr;  // valid when there is a first one
};

class HostEngine {
 public:
  virtual ~HostEngine() = default;

  // Whether transfers can be put in. The first call finds out whether the host has such a thing at all; from false on
  // it is false for ever.   Thread: any; it waits for no transfer.
  virtual bool Ready() = 0;
  // Begins a transfer, and returns. -> false: it is not done, and `done` is not called.   Thread: any.
  // REQUIRES: Ready() has answered true before.
  virtual bool Put(HostLine& line, HostTransfer& transfer) = 0;
  // From here on nothing can be put in. Returns when all that was is done, and nothing of the host is held any more.
  // Idempotent.   REQUIRES: not called from a `done`.
  virtual void Stop() = 0;
  // Where to do what it did not do, and whatever else waits.
  virtual WaitingThreads& threads() = 0;
};

}  // namespace blk

#endif  // RUMPBLK_CORE_HOST_HOST_ENGINE_H_
