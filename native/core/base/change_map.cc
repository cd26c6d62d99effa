#include "core/base/change_map.h"

#include <algorithm>
#include <bit>

#include "core/base/byte_order.h"

namespace blk {

ChangeMap::ChangeMap(MediumSpan span, unsigned shift)
    : span_(span),
      shift_(shift),
      blocks_(span.empty() ? 0 : ((span.end.value - span.begin.value - 1) >> shift) + 1),
      words_(static_cast<size_t>(words() + 1)) {}

void ChangeMap::Mark(MediumSpan changed) {
  const MediumSpan inside = changed.CutTo(span_);
  if (inside.empty()) return;
  const uint64_t first = BlockAt(inside.begin.value), last = BlockAt(inside.end.value - 1);
  for (uint64_t word = first / kBits; word <= last / kBits; word++) {
    uint64_t bits = ~uint64_t{0};
    if (word == first / kBits) bits &= ~uint64_t{0} << (first % kBits);
    if (word == last / kBits) bits &= ~uint64_t{0} >> (kBits - 1 - last % kBits);
    // Sequentially consistent, as MoveTo() is: a mark that is seen to be there has not been taken yet.
    if ((words_[word].load() & bits) != bits) words_[word].fetch_or(bits);
  }
}

uint64_t ChangeMap::bytes() const {
  uint64_t marked = 0;
  for (uint64_t word = 0; word < words(); word++) {
    marked += static_cast<uint64_t>(std::popcount(words_[word].load(std::memory_order_acquire)));
  }
  const uint64_t size = span_.empty() ? 0 : span_.end.value - span_.begin.value;
  const uint64_t cut = (blocks_ << shift_) - size;  // of the last block
  const bool last = blocks_ > 0 && (words_[(blocks_ - 1) / kBits].load() >> ((blocks_ - 1) % kBits) & 1) != 0;
  return (marked << shift_) - (last ? cut : 0);
}

MediumSpan ChangeMap::NextRun(MediumOffset from, MediumOffset to) const {
  const MediumSpan none{span_.end, span_.end};
  const MediumSpan wanted = MediumSpan{from, to}.CutTo(span_);
  if (wanted.empty()) return none;
  const uint64_t behind = BlockAt(wanted.end.value - 1) + 1;
  // The first block from `at` on whose bit is `marked`.
  const auto find = [&](uint64_t at, bool marked) {
    for (uint64_t word = at / kBits; word * kBits < behind; word++) {
      uint64_t bits = words_[word].load(std::memory_order_acquire);
      if (!marked) bits = ~bits;
      if (word == at / kBits) bits &= ~uint64_t{0} << (at % kBits);
      if (bits != 0) return std::min(behind, word * kBits + static_cast<uint64_t>(std::countr_zero(bits)));
    }
    return behind;
  };
  const uint64_t first = find(BlockAt(wanted.begin.value), true);
  if (first >= behind) return none;
  // Never empty, also when somebody takes the mark meanwhile.
  const uint64_t end = find(first + 1, false);
  const auto position = [&](uint64_t block) { return span_.begin.value + (block << shift_); };
  return {{position(first)}, {std::min(position(end), span_.end.value)}};
}

void ChangeMap::MoveTo(ChangeMap& to) {
  for (uint64_t word = 0; word < words(); word++) {
    const uint64_t marks = words_[word].load();
    if (marks == 0) continue;
    // There first, so that nobody who looks at both finds it in neither.
    to.words_[word].fetch_or(marks);
    words_[word].fetch_and(~marks);
  }
}

void ChangeMap::Clear() {
  for (uint64_t word = 0; word < words(); word++) words_[word].store(0);
}

void ChangeMap::MarkBits(uint64_t first, const uint8_t* bytes, size_t size) {
  for (uint64_t word = first / kBits; word < words() && size > 0; word++, bytes += 8, size -= 8) {
    uint64_t bits = Load<uint64_t>(bytes);
    // Of the last word what are blocks.
    if (word == words() - 1 && blocks_ % kBits != 0) bits &= (uint64_t{1} << (blocks_ % kBits)) - 1;
    if (bits != 0) words_[word].fetch_or(bits);
  }
}

void ChangeMap::PutBits(uint64_t first, uint8_t* bytes, size_t size) const {
  for (uint64_t word = first / kBits; size > 0; word++, bytes += 8, size -= 8) {
    Store<uint64_t>(bytes, word < words() ? words_[word].load() : 0);
  }
}

}  // namespace blk
