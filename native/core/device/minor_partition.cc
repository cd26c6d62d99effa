// The part of Minor that makes partitions of it.
#include <cassert>
#include <memory>
#include <new>
#include <set>
#include <utility>

#include "core/base/no_memory.h"
#include "core/device/minor.h"
#include "core/device/wedges.h"
#include "core/label/read_table.h"
#include "core/label/write_label.h"

namespace blk {

PartitionSpot SpotOf(const PartitionTable& table, const PartitionEntry& entry) {
  PartitionSpot spot;
  spot.name = entry.name;
  spot.start = entry.start;
  spot.size = entry.size;
  spot.scheme = table.scheme;
  spot.index = entry.index;
  spot.type = entry.type;
  spot.flavor = table.flavor;
  spot.type_guid = entry.type_guid;
  spot.uuid = entry.uuid;
  spot.label = entry.label;
  return spot;
}

namespace {

// The partitions of the label in memory, if there is one.
Result<std::optional<PartitionTable>> TableInMemory(Disk& disk, TableSource& source) {
  using Nothing = std::optional<PartitionTable>;
  const auto label = disk.label_state().in_memory();
  if (!label) return Nothing();
  const auto slice = SliceForLabel(source);
  if (!slice.ok()) return slice.status();
  FoundLabel found;
  found.decoded.label = *label;
  return Nothing(ToTable(found, slice.value(), source));
}

// What says how the disk is divided: the label in memory, which goes first, and the tables of the medium.
struct Tables {
  std::optional<PartitionTable> in_memory;
  std::optional<PartitionTable> on_medium;
};
Result<Tables> ReadTables(Disk& disk) {
  DiskSource source = disk.Source();
  auto in_memory = TableInMemory(disk, source);
  if (!in_memory.ok()) return in_memory.status();
  auto on_medium = ReadPartitionTable(source);
  if (!on_medium.ok()) return on_medium.status();
  return Tables{in_memory.Take(), on_medium.Take()};
}

std::optional<FoundPartition> Find(const Tables& tables, const std::string& name) {
  auto found = tables.in_memory ? FindPartition(*tables.in_memory, name) : std::nullopt;
  if (!found && tables.on_medium) found = FindPartition(*tables.on_medium, name);
  return found;
}

Result<PartitionSpot> FindSpot(Disk& disk, const std::string& name) {
  const auto tables = ReadTables(disk);
  if (!tables.ok()) return tables.status();
  const auto found = Find(tables.value(), name);
  if (!found) return Status{ENXIO, Op::kRegister};
  if (!found->entry->usable) return Status{EINVAL, Op::kRegister};
  return SpotOf(*found->table, *found->entry);
}

// Those of the whole disk, or, with a name, those in the partition that has it.
Result<std::vector<PartitionSpot>> FindSpots(Disk& disk, const std::string& inside) {
  const auto tables = ReadTables(disk);
  if (!tables.ok()) return tables.status();
  std::vector<PartitionSpot> spots;
  std::set<std::string> names;
  const auto add = [&](const PartitionTable& table) {
    for (PartitionSpot& spot : WedgeSpots(table)) {
      if (names.insert(spot.name).second) spots.push_back(std::move(spot));
    }
  };
  if (!inside.empty()) {
    const auto found = Find(tables.value(), inside);
    if (found && found->entry->table) add(*found->entry->table);
    return spots;
  }
  if (tables.value().in_memory) add(*tables.value().in_memory);
  if (tables.value().on_medium) add(*tables.value().on_medium);
  return spots;
}

// Which names of partitions go on from there: none of a whole disk.
std::string NameOf(const Minor& minor) { return minor.partition() != nullptr ? minor.partition()->name : ""; }

}  // namespace

Minor::Minor(std::shared_ptr<Disk> disk, PartitionSpot spot)
    : disk_(std::move(disk)), partition_(std::in_place, std::move(spot)) {}

Result<std::shared_ptr<Minor>> Minor::CreatePartition(const std::shared_ptr<Minor>& of, const std::string& name) {
  const std::shared_ptr<Disk>& disk = of->disk_;
  if (!disk->uses().Enter(UseCount::Use::kHold)) return Status{ENXIO, Op::kRegister};
  MutexLock lock(disk->label_state().changes());
  Status status{ENOMEM, Op::kRegister};
  std::unique_ptr<Minor> made;  // which ends the hold
  static_cast<void>(HadMemory([&] {
    auto spot = FindSpot(*disk, NameOf(*of) + name);
    if (spot.ok()) made.reset(new Minor(disk, spot.Take()));
    if (!spot.ok()) status = spot.status();
  }));
  if (!made) return disk->uses().Leave(UseCount::Use::kHold), status;
  std::shared_ptr<Minor> partition(std::move(made));
  disk->label_state().Enter(partition.get());
  return partition;
}

Result<std::vector<std::shared_ptr<Minor>>> Minor::CreatePartitions(const std::shared_ptr<Minor>& of) {
  const std::shared_ptr<Disk>& disk = of->disk_;
  if (!disk->uses().Enter(UseCount::Use::kHold)) return Status{ENXIO, Op::kRegister};
  MutexLock lock(disk->label_state().changes());
  Status status{ENOMEM, Op::kRegister};
  std::vector<std::shared_ptr<Minor>> made;
  const bool had_memory = HadMemory([&] {
    auto spots = FindSpots(*disk, NameOf(*of));
    status = spots.ok() ? Status::Ok() : spots.status();
    if (!status.ok()) return;
    made.reserve(spots.value().size());
    for (PartitionSpot& spot : spots.value()) {
      // The disk is held already, so that it cannot be retired: this one is the partition's own.
      const bool own = disk->uses().Enter(UseCount::Use::kHold);
      assert(own);
      static_cast<void>(own);
      std::unique_ptr<Minor> partition;  // which ends the hold
      if (!HadMemory([&] { partition.reset(new Minor(disk, std::move(spot))); })) {
        disk->uses().Leave(UseCount::Use::kHold);
        throw std::bad_alloc();
      }
      made.emplace_back(std::move(partition));
      disk->label_state().Enter(made.back().get());
    }
  });
  disk->uses().Leave(UseCount::Use::kHold);
  if (!had_memory) return Status{ENOMEM, Op::kRegister};
  if (!status.ok()) return status;
  return made;
}

}  // namespace blk
