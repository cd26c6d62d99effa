#include "core/window/window_table.h"

#include <algorithm>
#include <bit>
#include <cassert>

namespace blk {

WindowTable::WindowTable(MediumWindows& medium, MapMode mode, const WindowGeometry& geometry)
    : medium_(medium),
      mode_(mode),
      geometry_(geometry),
      shift_(static_cast<unsigned>(std::countr_zero(geometry.size))),
      first_(geometry.first()),
      slot_count_(static_cast<size_t>(std::min<uint64_t>(geometry.count, geometry.needed()))),
      covers_(slot_count_ == geometry.needed()),
      slots_(new Slot[slot_count_]) {
  assert(IsPowerOfTwo(geometry.size) && geometry.size >= PageSize() && geometry.needed() > 0);
  for (size_t i = 0; i < slot_count_; i++) {
    // An address space or a limit of mappings that is used up will not let the next one through either.
    if (!Fill(slots_[i], first_ + i, 0)) break;
  }
}

WindowTable::~WindowTable() { static_cast<void>(UnmapAll()); }

bool WindowTable::Fill(Slot& slot, uint64_t number, uint64_t tag_now) {
  const uint64_t start = number << shift_;
  auto mapped = medium_.Map(MediumOffset{start}, geometry_.LengthAt(start), mode_);
  if (mapped.ok()) {
    slot.mapping = mapped.Take();
    slot.mapping.Advise(0, slot.mapping.size(), Advice::kRandom);
  }
  // Release: whoever sees the number sees the mapping. The difference is added, not the word stored: readers may be
  // counting themselves in and out.
  slot.word.fetch_add((mapped.ok() ? Tag(number) : 0) - tag_now, std::memory_order_release);
  return mapped.ok();
}

std::optional<WindowRef> WindowTable::Find(MediumOffset at) {
  const uint64_t number = NumberOf(at);
  Slot& slot = slots_[SlotOf(at)];
  // Acquire, with the release in Fill(): the mapping is there to be seen.
  if (slot.word.load(std::memory_order_acquire) >> kRefBits != number + 1) return std::nullopt;
  // Where every window has a slot of its own, nothing under a reader is ever replaced: it need not be counted, and
  // readers on different processors share no written word.
  if (!covers_) return Pin(at);
  return WindowRef(number << shift_, slot.mapping);
}

std::optional<WindowRef> WindowTable::Pin(MediumOffset at) {
  const uint64_t number = NumberOf(at);
  Slot& slot = slots_[SlotOf(at)];
  // Counted first, looked at then: from here on Replace() fails, so a number that is right stays right. Acquire as in
  // Find().
  const uint64_t before = slot.word.fetch_add(1, std::memory_order_acquire);
  if (before >> kRefBits == number + 1 && RefsOf(before) < kMostRefs) {
    return std::make_optional<WindowRef>(*this, &slot, number << shift_, slot.mapping);
  }
  // Wrong number, or too many: out again. Meanwhile a Replace() may have failed for nothing; it is tried again some
  // day.
  Release(&slot);
  return std::nullopt;
}

// Release order: what the reader did with the mapping is over before the count goes down.
void WindowTable::Release(void* window) { static_cast<Slot*>(window)->word.fetch_sub(1, std::memory_order_release); }

bool WindowTable::Replace(MediumOffset at) {
  const uint64_t number = NumberOf(at);
  Slot& slot = slots_[SlotOf(at)];
  // Relaxed: only a guess, which the exchange below checks.
  uint64_t word = slot.word.load(std::memory_order_relaxed);
  if (word >> kRefBits == kBusy || word >> kRefBits == number + 1) return false;
  uint64_t unused = AlignDown(word, uint64_t{1} << kRefBits);
  // Acquire: the readers counted out before are done with the mapping.
  if (!slot.word.compare_exchange_strong(unused, kBusy << kRefBits, std::memory_order_acq_rel)) return false;
  // munmap of a whole window loses nothing; when it fails the address space is lost and the slot stays usable.
  static_cast<void>(slot.mapping.Unmap());
  return Fill(slot, number, kBusy << kRefBits);
}

std::vector<WindowInfo> WindowTable::List() const {
  std::vector<WindowInfo> list;
  for (size_t i = 0; i < slot_count_; i++) {
    // One load for number and references, so that the two belong together; the length comes from the number alone,
    // since the mapping may be on its way out.
    const uint64_t word = slots_[i].word.load(std::memory_order_acquire);
    const uint64_t tag = word >> kRefBits;
    if (tag == 0 || tag == kBusy) continue;
    const uint64_t start = (tag - 1) << shift_;
    list.push_back({{start}, geometry_.LengthAt(start), static_cast<uint32_t>(RefsOf(word))});
  }
  return list;
}

Status WindowTable::UnmapAll() {
  Status first = Status::Ok();
  for (size_t i = 0; i < slot_count_; i++) {
    // Relaxed: nobody is there to see it.
    slots_[i].word.store(0, std::memory_order_relaxed);
    Status status = slots_[i].mapping.Unmap();
    if (first.ok() && !status.ok()) first = status;
  }
  return first;
}

}  // namespace blk
