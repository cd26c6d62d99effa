// MediumExtent: a stretch of a medium whose bytes are all of one kind, as Channel::Extents() lists them. Plain data.
#ifndef RUMPBLK_CORE_MEDIUM_EXTENT_H_
#define RUMPBLK_CORE_MEDIUM_EXTENT_H_

#include <cstdint>

#include "core/base/units.h"

namespace blk {

// kData: anything, also what the medium cannot tell. kZero: reads as zeros, and has room. kHole: reads as zeros, and
// has none. kUnallocated: the layer that was asked has nothing here, and what lies below it decides. Their names cross
// by addon/layout.cc.
enum class ExtentType : uint8_t { kData = 0, kZero = 1, kHole = 2, kUnallocated = 3 };

// Whose extents are wanted, of a medium that lies over another one: what is read, or what this layer has by itself.
enum class ExtentLayer : uint8_t { kAll = 0, kTop = 1 };

// Where an extent lies in no host file at one offset.
inline constexpr uint64_t kNoHostOffset = UINT64_MAX;

struct MediumExtent {
  MediumOffset at;
  uint64_t size = 0;  // bytes
  ExtentType type = ExtentType::kData;
  uint32_t depth = 0;                    // of the layer that has it: 0 the one that was asked, 1 what lies below it
  uint64_t host_offset = kNoHostOffset;  // of its first byte, in the host file of that layer
  bool present = true;                   // false: a hole because no layer has anything here
};

}  // namespace blk

#endif  // RUMPBLK_CORE_MEDIUM_EXTENT_H_
