// Trial: a change of the tables of a disk in a file, of which every write and every sync fails in turn.
#ifndef RUMPBLK_TEST_SUPPORT_TABLE_TRIAL_H_
#define RUMPBLK_TEST_SUPPORT_TABLE_TRIAL_H_

#include <algorithm>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/device/table_ioctl.h"
#include "test/support/check.h"
#include "test/support/device_rig.h"
#include "test/support/memory_source.h"

namespace blk::test {

inline constexpr uint64_t kTableSectors = 4 * kMiB / 512;  // of the disk

inline PartitionTable Make(Scheme scheme, const std::vector<std::pair<uint64_t, uint64_t>>& spans,
                           uint8_t type = 0x83) {
  PartitionTable table;
  table.scheme = scheme;
  table.disk_id = 7;
  for (const auto& [start, sectors] : spans) {
    PartitionEntry entry;
    entry.index = static_cast<uint32_t>(table.partitions.size());
    entry.start = start * 512;
    entry.size = sectors * 512;
    entry.type = scheme == Scheme::kBsd ? uint8_t{7} : type;
    entry.type_guid.bytes.fill(0x11);
    entry.uuid.bytes.fill(static_cast<uint8_t>(entry.index + 1));
    table.partitions.push_back(std::move(entry));
  }
  return table;
}

// As in "mbr 0:100+50(bsd 0:110+10)": indices, and places in sectors of 512 bytes.
inline std::string Drawn(const PartitionTable& table) {
  static constexpr const char* kSchemes[] = {"bsd", "mbr", "ebr", "gpt", "apm", "sun", "unknown"};
  std::string drawn = kSchemes[static_cast<size_t>(table.scheme)];
  for (const PartitionEntry& entry : table.partitions) {
    drawn += " " + std::to_string(entry.index) + ":" + std::to_string(entry.start / 512) + "+" +
             std::to_string(entry.size / 512);
    if (entry.table) drawn += "(" + Drawn(*entry.table) + ")";
  }
  return drawn;
}

// A disk with `old` on it, its other bytes a pattern.
struct TableRig : DeviceRig {
  explicit TableRig(PartitionTable old) {
    device = Open(Access::kPio);
    Must(WriteTable(*device, old, 0).ok(), "the table to begin with");
    Must(device->Flush(0).ok(), "its sync");
  }
  // These bytes are all of it.
  explicit TableRig(const std::vector<uint8_t>& bytes) {
    Must(bytes.size() == file.Read(0, kTableSectors * 512).size(), "the bytes of a disk");
    file.Write(0, bytes);
    device = Open(Access::kPio);
  }
  std::string Read(std::string (*show)(const PartitionTable&) = Names) {
    MemorySource source(file.Read(0, kTableSectors * 512));
    auto table = ReadPartitionTable(source);
    Must(table.ok(), "reading memory");
    return table.value() ? show(*table.value()) : "none";
  }
  std::unique_ptr<Device> device;
};

// Of these cases all; under ThreadSanitizer the first `few`: trials take minutes under it, and it finds nothing where
// one thread runs.
template <typename Case>
std::span<const Case> CasesOf(const std::vector<Case>& all, size_t few = 1) {
#ifdef __SANITIZE_THREAD__
  return std::span(all).first(std::min(few, all.size()));
#else
  static_cast<void>(few);
  return all;
#endif
}

using Tables = std::function<PartitionTable()>;

// A change of which every write and sync fails in turn.
struct Trial {
  std::function<std::unique_ptr<TableRig>()> disk;
  Tables fresh;
  Tables again;  // what is written after the failure, that mends all
  int err = EIO;
  bool torn = false;  // of a write that fails one half is on the medium
  Overwrite overwrite = Overwrite::kRefuse;
  std::string (*show)(const PartitionTable&) = Drawn;
};

// Makes the change while the n-th call fails, for every n. -> what was read after each failure.
inline std::vector<std::string> FailEach(const Trial& trial) {
  std::vector<std::string> seen;
  for (uint64_t pass = 0;; pass++) {
    const auto rig = trial.disk();
    PartitionTable first = trial.fresh();
    const uint64_t before = rig->host.calls(Call::kPwrite) + rig->host.calls(Call::kFdatasync);
    uint64_t count = 0;
    rig->host.before = [&](const CallRecord& record) {
      const bool counts = record.call == Call::kPwrite || record.call == Call::kFdatasync;
      if (!counts || count++ != pass) return;
      if (trial.torn && record.call == Call::kPwrite) rig->host.Fail(record.call, kHalfway);
      rig->host.Fail(record.call, trial.err);
    };
    const Status status = WriteTable(*rig->device, first, 0, trial.overwrite);
    rig->host.before = nullptr;
    const uint64_t made = rig->host.calls(Call::kPwrite) + rig->host.calls(Call::kFdatasync) - before;
    if (made <= pass) {
      CHECK(status.ok());
      return seen;
    }
    if (trial.err != kHalfway) CHECK(status.err == trial.err);
    seen.push_back(rig->Read(trial.show));
    rig->host.Heal();
    // A failed sync sticks to the minor until its last close.
    static_cast<void>(rig->device->Close(0));
    rig->device = rig->Open(Access::kPio);
    PartitionTable again = trial.again();
    REQUIRE(WriteTable(*rig->device, again, 0, trial.overwrite).ok());
    MemorySource source(rig->file.Read(0, kTableSectors * 512));
    CHECK(Table(source).verdicts.empty());
    CHECK(trial.show(Table(source)) == trial.show(again));
  }
}

}  // namespace blk::test

#endif  // RUMPBLK_TEST_SUPPORT_TABLE_TRIAL_H_
