// The SIGBUS handler and its registry. The registry is process-wide mutable state, the one exception in core: a signal
// disposition belongs to the process, and the handler is given an address and nothing else.
#include "core/host/page_guard.h"

#include <signal.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <mutex>
#include <new>
#include <vector>

#include "core/base/sync.h"
#include "core/host/host_io.h"

namespace blk {
namespace {

constexpr size_t kSlotsPerBlock = 256;

// Blocks are linked in once and never freed, so the handler may walk them at any moment.
struct Block {
  GuardSlot slots[kSlotsPerBlock];
  Block* next = nullptr;
};

struct Registry {
  std::atomic<Block*> blocks{nullptr};
  Mutex mu;
  std::vector<GuardSlot*> free_slots GUARDED_BY(mu);
  struct sigaction previous = {};
  size_t page = 0;
};

// Leaked on purpose: a fault may come while the process runs its destructors.
Registry& TheRegistry() {
  static Registry* registry = new Registry;
  return *registry;
}

// Read by the handler, which must not meet the guard of a function-local static.
std::atomic<Registry*> g_registry{nullptr};

void Mark(GuardSlot& slot, uintptr_t page, size_t size) {
  uintptr_t begin = slot.lost_begin.load(std::memory_order_relaxed);
  while (page < begin && !slot.lost_begin.compare_exchange_weak(begin, page, std::memory_order_relaxed)) {
  }
  uintptr_t end = slot.lost_end.load(std::memory_order_relaxed);
  while (page + size > end && !slot.lost_end.compare_exchange_weak(end, page + size, std::memory_order_relaxed)) {
  }
  slot.poisoned.store(true, std::memory_order_seq_cst);
}

// Marks every slot that watches the page. -> whether there is one.
bool MarkAll(Registry& registry, uintptr_t page) {
  bool watched = false;
  for (Block* block = registry.blocks.load(std::memory_order_acquire); block != nullptr; block = block->next) {
    for (GuardSlot& slot : block->slots) {
      const size_t size = slot.size.load(std::memory_order_acquire);
      if (size == 0) continue;
      const uintptr_t base = slot.base.load(std::memory_order_acquire);
      // Does any byte of the page lie in it? Each difference wraps where the other one decides.
      if (page - base >= size && base - page >= registry.page) continue;
      // The second look at size refuses a base that belongs to the slot's next owner.
      if (slot.size.load(std::memory_order_acquire) != size) continue;
      Mark(slot, page, registry.page);
      watched = true;
    }
  }
  return watched;
}

void Forward(const struct sigaction& previous, int signal_number, siginfo_t* info, void* context) {
  if ((previous.sa_flags & SA_SIGINFO) != 0 && previous.sa_sigaction != nullptr) {
    previous.sa_sigaction(signal_number, info, context);
  } else if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN) {
    previous.sa_handler(signal_number);
  } else if (previous.sa_handler == SIG_IGN && info->si_code <= 0) {
    // Sent by kill(2) to a process that ignores it: ignored. A fault cannot be.
  } else {
    // Nobody before us: back to the default, and the access that faults again ends the process as it would have.
    struct sigaction fallback = {};
    fallback.sa_handler = SIG_DFL;
    sigaction(SIGBUS, &fallback, nullptr);
    if (info->si_code <= 0) raise(SIGBUS);  // sent by kill(2): it will not come again by itself
  }
}

void OnSigbus(int signal_number, siginfo_t* info, void* context) {
  const int saved_errno = errno;
  Registry& registry = *g_registry.load(std::memory_order_relaxed);
  const uintptr_t page = reinterpret_cast<uintptr_t>(info->si_addr) & ~(registry.page - 1);
  bool substituted = false;
  if (info->si_code > 0 && MarkAll(registry, page)) {
    // Again, for a watch over part of a mapping that began behind the first round's back: it is marked now, or it began
    // after the mapping was marked, which its owner looks at then.
    MarkAll(registry, page);
    // Marked before the page appears: no thread can see the zeros without the mark.
    substituted = mmap(reinterpret_cast<void*>(page), registry.page, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED;
  }
  if (!substituted) Forward(registry.previous, signal_number, info, context);
  errno = saved_errno;
}

void Install(Registry& registry) {
  registry.page = PageSize();
  g_registry.store(&registry, std::memory_order_release);
  struct sigaction action = {};
  action.sa_sigaction = OnSigbus;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
  sigemptyset(&action.sa_mask);
  sigaction(SIGBUS, &action, &registry.previous);
}

bool Grow(Registry& registry) REQUIRES(registry.mu) {
  Block* block = new (std::nothrow) Block;
  if (block == nullptr) return false;
  registry.free_slots.reserve(registry.free_slots.size() + kSlotsPerBlock);
  for (GuardSlot& slot : block->slots) registry.free_slots.push_back(&slot);
  block->next = registry.blocks.load(std::memory_order_relaxed);
  registry.blocks.store(block, std::memory_order_release);
  return true;
}

}  // namespace

PageWatch PageWatch::Over(void* base, size_t size) {
  static std::once_flag installed;
  Registry& registry = TheRegistry();
  std::call_once(installed, Install, registry);
  MutexLock lock(registry.mu);
  if (registry.free_slots.empty() && !Grow(registry)) return PageWatch();
  GuardSlot* slot = registry.free_slots.back();
  registry.free_slots.pop_back();
  slot->poisoned.store(false, std::memory_order_relaxed);
  slot->lost_begin.store(UINTPTR_MAX, std::memory_order_relaxed);
  slot->lost_end.store(0, std::memory_order_relaxed);
  slot->base.store(reinterpret_cast<uintptr_t>(base), std::memory_order_release);
  slot->size.store(size, std::memory_order_release);
  return PageWatch(slot);
}

PageWatch::Lost PageWatch::lost() const {
  if (!poisoned()) return {};
  const uintptr_t base = slot_->base.load(std::memory_order_relaxed);
  const uintptr_t begin = slot_->lost_begin.load(std::memory_order_relaxed);
  const uintptr_t end = slot_->lost_end.load(std::memory_order_relaxed);
  return {begin < base ? 0 : begin - base, std::min(end - base, slot_->size.load(std::memory_order_relaxed))};
}

void PageWatch::Stop() {
  if (slot_ == nullptr) return;
  Registry& registry = TheRegistry();
  slot_->size.store(0, std::memory_order_release);
  MutexLock lock(registry.mu);
  registry.free_slots.push_back(std::exchange(slot_, nullptr));
}

}  // namespace blk
