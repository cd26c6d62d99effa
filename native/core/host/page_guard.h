// page_guard: turns SIGBUS inside a mapped window into a poisoned window. The handler puts anonymous zeros in the place
// of the page that the host could not give, marks everything that watches it, with where, and lets the access go on;
// whoever copied looks at the mark afterwards and does the work again by pread or pwrite, which name the error.
// A fault that nobody watches goes to the handler that was there before.
// A process has a limited number of mappings, and each page substituted in the middle of one makes two more: so the
// pieces that are substituted grow, always from the fault on towards the end, where a file that was cut has nothing
// either; and only a share of all mappings, and of the address space, is given out.
// Thread-safe. Registering takes a lock; the handler takes none.
// Why: rumpblk.c r1.31 lines 643-645 die of a truncated file, a bad sector or a full disk (B34).
#ifndef RUMPBLK_CORE_HOST_PAGE_GUARD_H_
#define RUMPBLK_CORE_HOST_PAGE_GUARD_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

namespace blk {

// One watched piece of memory. Written by its owner while it is not watched, read and marked by the handler at any
// time, on any thread: so all that both touch is atomic, and none of these types takes a lock.
struct GuardSlot {
  std::atomic<uintptr_t> base{0};
  std::atomic<size_t> size{0};  // 0: slot is free
  std::atomic<bool> is_mapping{false};
  std::atomic<uint32_t> pieces{0};  // of a mapping: how often something was substituted in it
  std::atomic<bool> poisoned{false};
  // The smallest range of addresses with every page that was substituted; begin is above end while there is none.
  std::atomic<uintptr_t> lost_begin{UINTPTR_MAX};
  std::atomic<uintptr_t> lost_end{0};
  // The owner's alone, under the registry's mutex.
  GuardSlot* next_free = nullptr;
};

// PageWatch: sole owner of the watch over a piece of mapped memory. Pieces may overlap: each is marked for itself.
// Move-only, one owner at a time; poisoned() and lost() on any thread while it lives.
class PageWatch {
 public:
  // Offsets into the watched piece, [begin, end); empty where begin is not below end.
  struct Lost {
    size_t begin = 0;
    size_t end = 0;
  };

  // Watches [base, base + size), which is all of one mapping. Installs the handler on first use. -> one that is not
  // valid() when out of memory, when a quarter of the mappings that the host allows a process is watched already, or
  // when it would be more than half of the address space.
  // Locks: takes the registry's own, a leaf.
  static PageWatch OverMapping(void* base, size_t size) { return Begin(base, size, true); }
  // Watches part of a mapping, for whoever has no more to do with it. The same, without those limits.
  static PageWatch Over(void* base, size_t size) { return Begin(base, size, false); }

  // Watches nothing.
  PageWatch() = default;
  PageWatch(PageWatch&& other) noexcept : slot_(std::exchange(other.slot_, nullptr)) {}
  PageWatch& operator=(PageWatch&& other) noexcept {
    if (this != &other) {
      Stop();
      slot_ = std::exchange(other.slot_, nullptr);
    }
    return *this;
  }
  PageWatch(const PageWatch&) = delete;
  PageWatch& operator=(const PageWatch&) = delete;
  ~PageWatch() { Stop(); }

  // False for one that watches nothing: made so, moved from, stopped, or for want of memory.
  bool valid() const { return slot_ != nullptr; }
  // True once a page of the piece was substituted. For good; asked after each copy.   Thread: any.
  bool poisoned() const {
    // Whoever asks has copied before: without the fence the mark may be loaded before the bytes are (on ARM), and a
    // page substituted in between goes unseen.
    std::atomic_thread_fence(std::memory_order_acquire);
    return slot_ != nullptr && slot_->poisoned.load(std::memory_order_acquire);
  }
  // The smallest part of the piece that holds every page that was substituted. Empty while not poisoned(); it may grow
  // as long as the piece is watched.   Thread: any.
  Lost lost() const;

  // Stops watching: its slot is the next watch's. Idempotent.   Locks: takes the registry's own, a leaf.
  // REQUIRES: nothing touches the memory any more, and it is not unmapped yet.
  void Stop();

 private:
  static PageWatch Begin(void* base, size_t size, bool is_mapping);
  explicit PageWatch(GuardSlot* slot) : slot_(slot) {}

  // The registry's; this watch's alone until Stop().
  GuardSlot* slot_ = nullptr;
};
static_assert(!std::is_copy_constructible_v<PageWatch>);

}  // namespace blk

#endif  // RUMPBLK_CORE_HOST_PAGE_GUARD_H_
