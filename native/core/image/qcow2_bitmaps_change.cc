// Qcow2Bitmaps: bitmaps that come and go. The directory is written to a new place, and the header then names that.
#include <utility>

#include "core/image/qcow2_bitmaps.h"

namespace blk {
namespace {

constexpr unsigned kUsualShift = 16;

Status Failed(int err, Why why) { return {err, Op::kTrack, why}; }

}  // namespace

static_assert(uint64_t{1} << kUsualShift == ChangeMap::kUsualBlock);

Qcow2BitmapEntry* Qcow2Bitmaps::Find(const std::string& name) {
  for (Qcow2BitmapEntry& entry : entries_) {
    if (entry.name == name) return &entry;
  }
  return nullptr;
}

Result<std::shared_ptr<KeptChanges>> Qcow2Bitmaps::Keep(const std::string& name, std::optional<unsigned> shift) {
  Qcow2BitmapEntry* const entry = Find(name);
  if (entry == nullptr) return Make(entries_.size(), name, shift.value_or(kUsualShift), true);
  if (!entry->known()) return Failed(ENOTSUP, Why::kBitmapUnknown);
  if (!entry->on()) return Failed(EINVAL, Why::kBitmapOff);
  if (shift && *shift != entry->shift) return Failed(EINVAL, Why::kBitmapGranularity);
  const auto loaded = loaded_.find(name);
  if (loaded != loaded_.end()) return std::shared_ptr<KeptChanges>(loaded->second.bitmap);
  // In use, or damaged: what it said is lost, and its places are of use if they are sound.
  auto map = NewMap(entry->shift);
  Result<std::optional<Qcow2BitmapTable>> table = TableOf(*entry);
  if (!table.ok()) return table.status();
  if (!table.value()) return Make(static_cast<size_t>(entry - entries_.data()), name, entry->shift, false);
  return std::shared_ptr<KeptChanges>(Hold(*entry, std::move(*table.value()), false, std::move(map)));
}

Result<std::shared_ptr<KeptChanges>> Qcow2Bitmaps::Make(size_t index, const std::string& name, unsigned shift,
                                                        bool consistent) {
  const Qcow2BitmapSize size = SizeOfBitmap(disk_, shift);
  if (!size.fits()) return Failed(EFBIG, Why::kBitmapSize);
  if (index >= kMostBitmaps) return Failed(ENOSPC, Why::kBitmapCount);
  auto map = NewMap(shift);
  const Result<ClusterSpan> taken = clusters_.TakeRow(size.table_clusters);
  if (!taken.ok()) return taken.status();
  const uint64_t offset = taken.value().begin << disk_.cluster_bits;
  std::vector<Qcow2BitmapEntry> entries = entries_;
  if (index == entries.size()) entries.emplace_back();
  entries[index] = MakeBitmapEntry(name, shift, offset, static_cast<uint32_t>(size.entries));
  const Status put = PutDirectory(std::move(entries));
  if (!put.ok()) return put;
  Qcow2BitmapTable table = Qcow2BitmapTable::Empty(disk_, offset, size);
  for (const ClusterSpan& span : table.Clusters()) {
    for (uint64_t cluster = span.begin; cluster < span.end; cluster++) used_.insert(cluster);
  }
  return std::shared_ptr<KeptChanges>(Hold(entries_[index], std::move(table), consistent, std::move(map)));
}

Status Qcow2Bitmaps::LookAgain() {
  Result<Qcow2BitmapHeader> header = Qcow2BitmapHeader::Read(medium_, disk_);
  if (header.ok()) header_ = header.Take();
  return header.status();
}

Status Qcow2Bitmaps::PutDirectory(std::vector<Qcow2BitmapEntry> entries) {
  std::vector<uint8_t> bytes;
  for (Qcow2BitmapEntry& entry : entries) {
    entry.at = bytes.size();
    bytes.insert(bytes.end(), entry.bytes.begin(), entry.bytes.end());
  }
  Qcow2BitmapPlace place;
  place.count = static_cast<uint32_t>(entries.size());
  place.size = bytes.size();
  if (place.size > kMostBitmapDirectory) return Failed(ENOSPC, Why::kBitmapCount);
  bytes.resize(static_cast<size_t>(AlignUp(place.size, disk_.cluster_size())));
  const Result<ClusterSpan> taken = clusters_.TakeRow(bytes.size() >> disk_.cluster_bits);
  if (!taken.ok()) return taken.status();
  place.offset = taken.value().begin << disk_.cluster_bits;
  Status status = file_.Write({place.offset}, bytes.data(), bytes.size(), {}).status;
  if (status.ok()) status = LookAgain();
  if (status.ok()) status = header_.SetPlace(file_, place);
  if (!status.ok()) return status;
  entries_ = std::move(entries);
  const std::optional<Qcow2BitmapPlace> old = std::exchange(place_, place);
  if (!old) return status;
  const uint64_t first = old->offset >> disk_.cluster_bits;
  const ClusterSpan free = {first, first + (AlignUp(old->size, disk_.cluster_size()) >> disk_.cluster_bits)};
  Unclaim({free});
  return clusters_.Free({free});
}

Result<bool> Qcow2Bitmaps::Remove(const std::string& name) {
  const Qcow2BitmapEntry* const entry = Find(name);
  if (entry == nullptr) return false;
  const auto loaded = loaded_.find(name);
  std::vector<ClusterSpan> free;
  if (loaded != loaded_.end()) {
    free = loaded->second.table.Clusters();
  } else if (entry->known()) {
    const Result<std::optional<Qcow2BitmapTable>> table = TableOf(*entry);
    if (!table.ok()) return table.status();
    // Of one that is damaged, or unknown, what it has is left to qemu-img check.
    if (table.value()) free = table.value()->Clusters();
  }
  std::vector<Qcow2BitmapEntry> entries = entries_;
  entries.erase(entries.begin() + (entry - entries_.data()));
  if (loaded != loaded_.end()) {
    loaded->second.bitmap->Stop();
    loaded_.erase(loaded);
  }
  Status status = Status::Ok();
  if (entries.empty()) {
    status = LookAgain();
    if (status.ok()) status = header_.Drop(file_);
    if (status.ok()) {
      const uint64_t first = place_->offset >> disk_.cluster_bits;
      free.push_back({first, first + (AlignUp(place_->size, disk_.cluster_size()) >> disk_.cluster_bits)});
      place_.reset();
      entries_.clear();
    }
  } else {
    status = PutDirectory(std::move(entries));
  }
  if (!status.ok()) return status;
  Unclaim(free);
  const Status freed = clusters_.Free(free);
  if (!freed.ok()) return freed;
  return true;
}

}  // namespace blk
