// Where a fault plan does damage: pure functions of a key and a place.
#ifndef RUMPBLK_CORE_FILTER_FAULT_DAMAGE_H_
#define RUMPBLK_CORE_FILTER_FAULT_DAMAGE_H_

#include <cstddef>
#include <cstdint>

#include "core/filter/fault_decision.h"

namespace blk {

// Whether `sector` of a torn write reaches the medium.   REQUIRES: effect.kind is kTear, of two sectors at least.
bool Reaches(const FaultEffect& effect, uint64_t sector);

// Does to `data`, which is `size` bytes of the device from `position` on, what is to be seen of the damage of `effect`
// there: bits of one sector of it, which is the same one for everybody who meets that sector.
// REQUIRES: effect.kind is kCorrupt, and no kMisdirect.
void Damage(const FaultEffect& effect, uint64_t position, uint8_t* data, size_t size);

}  // namespace blk

#endif  // RUMPBLK_CORE_FILTER_FAULT_DAMAGE_H_
