// The SIGBUS handler and its registry. The registry is process-wide mutable state, the one exception in core: a signal
// disposition belongs to the process, and the handler is given an address and nothing else.
#include "core/host/page_guard.h"

#include <signal.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <mutex>
#include <new>
#include <utility>

#include "core/base/sync.h"
#include "core/base/units.h"
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
  GuardSlot* free_slots GUARDED_BY(mu) = nullptr;  // a list, so that giving one back allocates nothing
  size_t mappings GUARDED_BY(mu) = 0;
  uint64_t mapped_bytes GUARDED_BY(mu) = 0;  // of those
  struct sigaction previous = {};
  size_t page = 0;
  size_t max_mappings = 0;
  uint32_t max_pieces = 0;
  std::atomic<uint32_t> pieces{0};    // in all mappings that are watched
  std::atomic<void*> spare{nullptr};  // a page that is given up for a process that has no mapping left
};

// So many pieces of one mapping have the same size, the next ones are twice as large.
constexpr uint32_t kPiecesOfASize = 64;

// Leaked on purpose: a fault may come while the process runs its destructors.
Registry& TheRegistry() {
  static Registry* registry = new Registry;
  return *registry;
}

// Read by the handler, which must not meet the guard of a function-local static.
std::atomic<Registry*> g_registry{nullptr};

// [begin, end) of addresses, whole pages.
struct Piece {
  uintptr_t begin = 0;
  uintptr_t end = 0;
};

// Runs in the handler, perhaps on several threads for one slot: each bound only moves outwards, whoever comes last.
// Relaxed, since the mark behind them is what publishes them.
void Mark(GuardSlot& slot, Piece piece) {
  uintptr_t begin = slot.lost_begin.load(std::memory_order_relaxed);
  while (piece.begin < begin && !slot.lost_begin.compare_exchange_weak(begin, piece.begin, std::memory_order_relaxed)) {
  }
  uintptr_t end = slot.lost_end.load(std::memory_order_relaxed);
  while (piece.end > end && !slot.lost_end.compare_exchange_weak(end, piece.end, std::memory_order_relaxed)) {
  }
  // Before the page appears, by the mmap(2) that follows: whoever has seen the page sees the mark.
  slot.poisoned.store(true, std::memory_order_seq_cst);
}

// Calls `visit(slot, base, size)` for every slot that watches a byte of the piece.
template <typename Visit>
void ForEachWatching(Registry& registry, Piece piece, Visit&& visit) {
  for (Block* block = registry.blocks.load(std::memory_order_acquire); block != nullptr; block = block->next) {
    for (GuardSlot& slot : block->slots) {
      // Acquire, with the release in Begin(): a size that is not 0 comes with its base.
      const size_t size = slot.size.load(std::memory_order_acquire);
      if (size == 0) continue;
      const uintptr_t base = slot.base.load(std::memory_order_acquire);
      // Does any byte of the piece lie in it? Each difference wraps where the other one decides.
      if (piece.begin - base >= size && base - piece.begin >= piece.end - piece.begin) continue;
      // The second look at size refuses a base that belongs to the slot's next owner.
      if (slot.size.load(std::memory_order_acquire) != size) continue;
      visit(slot, base, size);
    }
  }
}

// Marks every slot that watches any of the piece. -> whether there is one.
bool MarkAll(Registry& registry, Piece piece) {
  bool watched = false;
  ForEachWatching(registry, piece, [&](GuardSlot& slot, uintptr_t, size_t) {
    Mark(slot, piece);
    watched = true;
  });
  return watched;
}

// The mapping that `page` is in, and its slot; null for memory that is watched by the part alone.
struct Around {
  GuardSlot* slot = nullptr;
  Piece whole;
};
Around FindMapping(Registry& registry, Piece page) {
  Around found;
  ForEachWatching(registry, page, [&](GuardSlot& slot, uintptr_t base, size_t size) {
    if (!slot.is_mapping.load(std::memory_order_relaxed)) return;
    // At most one: mappings do not overlap, only watches over parts of them do.
    found = {&slot, {base, AlignUp(base + size, registry.page)}};
  });
  return found;
}

// What to substitute from `page` on: the page, with each kPiecesOfASize of them twice as much, and all the rest once
// there are too many pieces in the process.
Piece PieceFrom(Registry& registry, Piece page, const Around& mapping) {
  if (mapping.slot == nullptr) return page;
  const size_t rest = mapping.whole.end - page.begin;
  const uint32_t doublings = mapping.slot->pieces.fetch_add(1, std::memory_order_relaxed) / kPiecesOfASize;
  const bool many = registry.pieces.fetch_add(1, std::memory_order_relaxed) >= registry.max_pieces;
  if (many || doublings >= 32 || registry.page << doublings >= rest) return {page.begin, mapping.whole.end};
  return {page.begin, page.begin + (registry.page << doublings)};
}

// Marked before the zeros appear: no thread can see them without the mark.
bool Substitute(Registry& registry, Piece piece) {
  if (!MarkAll(registry, piece)) return false;
  // Again, for a watch over part of a mapping that began behind the first round's back: it is marked now, or it began
  // after the mapping was marked, which its owner looks at then.
  MarkAll(registry, piece);
  // Without reserve: what is never stored to takes no memory, however large the piece.
  return mmap(reinterpret_cast<void*>(piece.begin), piece.end - piece.begin, PROT_READ | PROT_WRITE,
              MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0) != MAP_FAILED;
}

bool Mend(Registry& registry, uintptr_t address) {
  const uintptr_t begin = AlignDown(address, registry.page);
  const Piece page{begin, begin + registry.page};
  const Around mapping = FindMapping(registry, page);
  if (Substitute(registry, PieceFrom(registry, page, mapping))) return true;
  // A process that has all the mappings it may have can still exchange a whole one, if it has not one more than that,
  // which the host lets happen.
  if (mapping.slot == nullptr) return false;
  void* const spare = registry.spare.exchange(nullptr, std::memory_order_relaxed);
  if (spare != nullptr) munmap(spare, registry.page);
  return Substitute(registry, mapping.whole);
}

// What would have happened without us.
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

// In a signal handler: no locks, no allocation, errno as it was. mmap(2) is not on POSIX's list of calls that are safe
// here, but on Linux it is a bare system call.
void OnSigbus(int signal_number, siginfo_t* info, void* context) {
  const int saved_errno = errno;
  // Relaxed: it was stored before sigaction(2) made this function known.
  Registry& registry = *g_registry.load(std::memory_order_relaxed);
  const bool mended = info->si_code > 0 && Mend(registry, reinterpret_cast<uintptr_t>(info->si_addr));
  if (!mended) Forward(registry.previous, signal_number, info, context);
  errno = saved_errno;
}

void Install(Registry& registry) {
  registry.page = PageSize();
  // A mapping may be cut in two for good; with the pieces that leaves a third of the process's mappings to others.
  registry.max_mappings = MappingLimit() / 4;
  registry.max_pieces = static_cast<uint32_t>(MappingLimit() / 16);
  // Shared memory merges with no neighbour. Not having it is a chance less, no more.
  void* const spare = mmap(nullptr, registry.page, PROT_NONE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  registry.spare.store(spare == MAP_FAILED ? nullptr : spare, std::memory_order_relaxed);
  g_registry.store(&registry, std::memory_order_release);
  struct sigaction action = {};
  action.sa_sigaction = OnSigbus;
  // On the thread's signal stack where it has one. SA_RESTART: a SIGBUS sent by kill(2) must not make system calls of
  // other code fail.
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
  sigemptyset(&action.sa_mask);
  sigaction(SIGBUS, &action, &registry.previous);
}

bool Grow(Registry& registry) REQUIRES(registry.mu) {
  Block* block = new (std::nothrow) Block;
  if (block == nullptr) return false;
  for (GuardSlot& slot : block->slots) slot.next_free = std::exchange(registry.free_slots, &slot);
  // Relaxed: writers are under the mutex. Release below: who finds the block finds its slots empty.
  block->next = registry.blocks.load(std::memory_order_relaxed);
  registry.blocks.store(block, std::memory_order_release);
  return true;
}

}  // namespace

PageWatch PageWatch::Begin(void* base, size_t size, bool is_mapping) {
  // On first use, so that a program that maps nothing keeps its SIGBUS as it is. Never taken back: another handler may
  // stand before ours by then.
  static std::once_flag installed;
  Registry& registry = TheRegistry();
  std::call_once(installed, Install, registry);
  MutexLock lock(registry.mu);
  if (is_mapping) {
    // Asked each time: a limit of address space may come later.
    const uint64_t most = AddressSpaceLimit() / 2;
    const bool room = size <= most && registry.mapped_bytes <= most - size;
    if (!room || registry.mappings >= registry.max_mappings) return PageWatch();
  }
  if (registry.free_slots == nullptr && !Grow(registry)) return PageWatch();
  if (is_mapping) {
    registry.mappings++;
    registry.mapped_bytes += size;
  }
  GuardSlot* slot = registry.free_slots;
  registry.free_slots = slot->next_free;
  slot->poisoned.store(false, std::memory_order_relaxed);
  slot->lost_begin.store(UINTPTR_MAX, std::memory_order_relaxed);
  slot->lost_end.store(0, std::memory_order_relaxed);
  slot->is_mapping.store(is_mapping, std::memory_order_relaxed);
  slot->pieces.store(0, std::memory_order_relaxed);
  // The size last: it is what makes the slot a watched one.
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
  // Before the slot is on the list of the free ones: nobody watches with it in between.
  const size_t size = slot_->size.exchange(0, std::memory_order_acq_rel);
  registry.pieces.fetch_sub(slot_->pieces.load(std::memory_order_relaxed), std::memory_order_relaxed);
  MutexLock lock(registry.mu);
  if (slot_->is_mapping.load(std::memory_order_relaxed)) {
    registry.mappings--;
    registry.mapped_bytes -= size;
  }
  slot_->next_free = std::exchange(registry.free_slots, slot_);
  slot_ = nullptr;
}

}  // namespace blk
