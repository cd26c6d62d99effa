#include "core/label/mbr_entry.h"

#include <algorithm>
#include <array>
#include <vector>

namespace blk {
namespace {

using Chs = std::array<uint8_t, 3>;
constexpr uint32_t kMaxCylinder = 1023;
constexpr size_t kFirstAt = 1;
constexpr size_t kLastAt = 5;

Chs ChsOf(uint64_t sector, const Geometry& geometry) {
  const uint64_t cylinder = sector / (geometry.heads * geometry.track);
  const bool far = cylinder > kMaxCylinder;
  const uint32_t c = far ? kMaxCylinder : static_cast<uint32_t>(cylinder);
  const uint64_t head = far ? geometry.heads - 1 : sector / geometry.track % geometry.heads;
  const uint64_t in_track = far ? geometry.track : sector % geometry.track + 1;
  return {static_cast<uint8_t>(head), static_cast<uint8_t>(in_track | (c >> 8) << 6), static_cast<uint8_t>(c)};
}

Chs ChsAt(const uint8_t* at) { return {at[0], at[1], at[2]}; }

// What some tools write in place of every cylinder.
bool IsNoChs(const Chs& chs) { return chs == Chs{} || (chs[0] >= 0xfe && chs[1] == 0xff && chs[2] == 0xff); }

// Whether all that `at` says in cylinders is what it says in sectors.
bool Agrees(const uint8_t* at, const MbrEntry& entry, const Geometry& geometry) {
  return ChsAt(at + kFirstAt) == ChsOf(entry.start, geometry) &&
         ChsAt(at + kLastAt) == ChsOf(uint64_t{entry.start} + entry.sectors - 1, geometry);
}

}  // namespace

Geometry GeometryOf(const MbrImage& sector0) {
  const MbrSector sector = DecodeMbr(sector0);
  std::vector<Geometry> candidates = {Geometry()};
  // Partitions end with a cylinder, as a rule.
  const auto bytes_of = [&](uint32_t slot) { return &sector0[kMbrEntriesAt + slot * kMbrEntryBytes]; };
  for (uint32_t slot = 0; slot < kMbrSlots; slot++) {
    const uint8_t* last = bytes_of(slot) + kLastAt;
    const Geometry claimed{uint32_t{last[0]} + 1, uint32_t{last[1]} & 0x3f};
    if (sector.entries[slot].used() && claimed.track != 0) candidates.push_back(claimed);
  }
  // And images of parted(8), which do not.
  candidates.push_back({4, 32});
  for (const Geometry& geometry : candidates) {
    bool all = true;
    for (uint32_t slot = 0; slot < kMbrSlots; slot++) {
      all = all && (!sector.entries[slot].used() || Agrees(bytes_of(slot), sector.entries[slot], geometry));
    }
    if (all) return geometry;
  }
  return Geometry();
}

void PutMbrEntry(uint8_t* at, const MbrEntry& entry, uint64_t base, const Geometry& geometry) {
  const MbrEntry was{at[0], at[4], Load<uint32_t>(at + 8), Load<uint32_t>(at + 12)};
  if ((was.boot_flag & kMbrBootable) != (entry.boot_flag & kMbrBootable)) at[0] = entry.boot_flag;
  at[4] = entry.type;
  Store<uint32_t>(at + 8, entry.start);
  Store<uint32_t>(at + 12, entry.sectors);
  const auto put = [&](size_t place, uint64_t old_sector, uint64_t sector) {
    const Chs old = ChsAt(at + place);
    if (was.used() && (old_sector == sector || (IsNoChs(old) && old != ChsOf(base + old_sector, geometry)))) return;
    const Chs chs = ChsOf(base + sector, geometry);
    std::copy(chs.begin(), chs.end(), at + place);
  };
  put(kFirstAt, was.start, entry.start);
  put(kLastAt, uint64_t{was.start} + was.sectors - 1, uint64_t{entry.start} + entry.sectors - 1);
}

bool IsBlankMbrEntry(const uint8_t* at) {
  return std::all_of(at, at + kMbrEntryBytes, [](uint8_t byte) { return byte == 0; });
}

}  // namespace blk
