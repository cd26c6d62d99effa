#include "lab/contents.h"

#include <algorithm>
#include <cstring>

namespace blk::lab {

void FillGarbage(uint32_t seed, uint8_t* bytes, size_t size) {
  for (size_t i = 0; i < size; i += 8) {
    const uint64_t word = Mix(seed, i);
    std::memcpy(bytes + i, &word, std::min<size_t>(8, size - i));
  }
}

uint64_t Contents::HashOf(const uint8_t* bytes) const {
  // Four sums side by side, so that none waits for another.
  uint64_t sums[4] = {1, 2, 3, 4};
  for (size_t i = 0; i + 32 <= unit_; i += 32) {
    for (size_t k = 0; k < 4; k++) {
      uint64_t word;
      std::memcpy(&word, bytes + i + 8 * k, 8);
      sums[k] = (sums[k] ^ word) * 0x9e3779b97f4a7c15ULL;
      sums[k] ^= sums[k] >> 29;
    }
  }
  return Mix(Mix(sums[0], sums[1]), Mix(sums[2], sums[3]));
}

size_t Contents::PlaceOf(uint64_t hash, const uint8_t* bytes) const {
  const size_t mask = table_.size() - 1;
  size_t place = static_cast<size_t>(hash) & mask;
  for (; table_[place] != 0; place = (place + 1) & mask) {
    const uint32_t content = table_[place] - 1;
    if (hashes_[content] == hash && std::memcmp(bytes_[content], bytes, unit_) == 0) break;
  }
  return place;
}

uint32_t Contents::AddAt(size_t place, uint64_t hash, const uint8_t* bytes) {
  bytes_.push_back(bytes);
  hashes_.push_back(hash);
  table_[place] = static_cast<uint32_t>(bytes_.size());
  const auto content = static_cast<uint32_t>(bytes_.size() - 1);
  if (bytes_.size() * 2 > table_.size()) Grow();
  return content;
}

void Contents::Grow() {
  std::vector<uint32_t> table(table_.size() * 2, 0);
  const size_t mask = table.size() - 1;
  for (uint32_t content = 0; content < bytes_.size(); content++) {
    size_t place = static_cast<size_t>(hashes_[content]) & mask;
    while (table[place] != 0) place = (place + 1) & mask;
    table[place] = content + 1;
  }
  table_ = std::move(table);
}

uint32_t Contents::Intern(const uint8_t* bytes) {
  const uint64_t hash = HashOf(bytes);
  const size_t place = PlaceOf(hash, bytes);
  return table_[place] != 0 ? table_[place] - 1 : AddAt(place, hash, bytes);
}

uint64_t Contents::NumberOf(const uint8_t* bytes) const {
  const uint64_t hash = HashOf(bytes);
  const size_t place = PlaceOf(hash, bytes);
  return table_[place] != 0 ? table_[place] - 1 : uint64_t{1} << 52 | hash >> 12;
}

uint32_t Contents::InternCopy(const uint8_t* bytes) {
  const uint64_t hash = HashOf(bytes);
  const size_t place = PlaceOf(hash, bytes);
  if (table_[place] != 0) return table_[place] - 1;
  copies_.emplace_back(bytes, bytes + unit_);
  return AddAt(place, hash, copies_.back().data());
}

}  // namespace blk::lab
