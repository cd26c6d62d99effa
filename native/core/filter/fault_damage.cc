#include "core/filter/fault_damage.h"

#include <numeric>

#include "core/base/units.h"
#include "core/filter/fault_draw.h"

namespace blk {
namespace {

// Of more sectors the one to be damaged is drawn by where the piece begins.
constexpr uint64_t kMostCompared = 4096;

// The sector of [begin, end) with the least draw: pieces that overlap choose the same one where it is in both.
uint64_t VictimOf(uint64_t key, uint64_t begin, uint64_t end) {
  if (end - begin > kMostCompared) return begin + Mix(key, begin) % (end - begin);
  uint64_t victim = begin;
  for (uint64_t sector = begin + 1; sector < end; sector++) {
    if (Mix(key, sector) < Mix(key, victim)) victim = sector;
  }
  return victim;
}

}  // namespace

bool Reaches(const FaultEffect& effect, uint64_t sector) {
  switch (static_cast<FaultTear>(effect.a)) {
    case FaultTear::kPrefix: return sector < effect.b;
    case FaultTear::kSuffix: return sector >= effect.b;
    case FaultTear::kSubset: break;
  }
  const uint64_t first = effect.begin / kDevBsize;
  const uint64_t count = (effect.end + kDevBsize - 1) / kDevBsize - first;
  // One that is lost and one that is there, whatever the others are.
  const uint64_t lost = effect.key % count;
  const uint64_t there = (lost + 1 + Mix(effect.key) % (count - 1)) % count;
  if (sector - first == lost) return false;
  return sector - first == there || (Mix(effect.key, sector) & 1) != 0;
}

void Damage(const FaultEffect& effect, uint64_t position, uint8_t* data, size_t size) {
  const bool stuck = static_cast<FaultDamage>(effect.a) == FaultDamage::kStuck;
  // Whole sectors of the piece, where it has one: a part of one has no damage of its own otherwise.
  const uint64_t sector = VictimOf(effect.key, effect.begin / kDevBsize, (effect.end + kDevBsize - 1) / kDevBsize);
  const uint64_t begin = sector * kDevBsize > effect.begin ? sector * kDevBsize : effect.begin;
  const uint64_t end = (sector + 1) * kDevBsize < effect.end ? (sector + 1) * kDevBsize : effect.end;
  const uint64_t bits = (end - begin) * 8;
  const uint64_t first = Mix(Mix(effect.key, sector), 1) % bits;
  // Bits that are flipped lie apart, each at another place; those that are stuck are neighbours.
  uint64_t step = stuck ? 1 : 8 * 37 + 3;
  while (std::gcd(step, bits) != 1) step += 2;  // `bits` is even: so each bit is reached before one is reached again
  const bool high = (Mix(effect.key, sector) & 1) != 0;
  for (uint64_t i = 0; i < effect.b && i < bits; i++) {
    const uint64_t bit = (first + i * step) % bits;
    const uint64_t at = begin + bit / 8;
    if (at < position || at - position >= size) continue;
    const uint8_t was = data[at - position];
    const auto mask = static_cast<uint8_t>(1u << (bit % 8));
    const int is = stuck ? (high ? was | mask : was & ~mask) : was ^ mask;
    data[at - position] = static_cast<uint8_t>(is);
  }
}

}  // namespace blk
