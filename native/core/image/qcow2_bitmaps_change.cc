// Qcow2Bitmaps: bitmaps that come and go. The directory is written to a new place, and the header then names that.
#include <utility>

#include "core/base/byte_order.h"
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

// Memory and room in the header are had before a cluster is: after them only the file may fail.
Result<std::shared_ptr<KeptChanges>> Qcow2Bitmaps::Make(size_t index, const std::string& name, unsigned shift,
                                                        bool consistent) {
  const Qcow2BitmapSize size = SizeOfBitmap(disk_, shift);
  if (!size.fits()) return Failed(EFBIG, Why::kBitmapSize);
  if (index >= kMostBitmaps) return Failed(ENOSPC, Why::kBitmapCount);
  auto map = NewMap(shift);
  Qcow2BitmapTable table = Qcow2BitmapTable::Empty(disk_, size);
  std::vector<Qcow2BitmapEntry> entries = entries_;
  if (index == entries.size()) entries.emplace_back();
  entries[index] = MakeBitmapEntry(name, shift, 0, static_cast<uint32_t>(size.entries));
  Result<Draft> draft = DraftOf(std::move(entries));
  if (!draft.ok()) return draft.status();
  const Result<ClusterSpan> taken = clusters_.TakeRow(size.table_clusters);
  if (!taken.ok()) return taken.status();
  table.PlaceAt(taken.value().begin << disk_.cluster_bits);
  draft.value().PlaceTable(index, taken.value().begin << disk_.cluster_bits);
  const Result<std::vector<ClusterSpan>> old = PutDirectory(draft.Take(), {taken.value()});
  if (!old.ok()) return old.status();
  MarkUsed({taken.value()});
  auto bitmap = Hold(entries_[index], std::move(table), consistent, std::move(map));
  const Status freed = clusters_.Free(old.value());
  if (!freed.ok()) return freed;
  return std::shared_ptr<KeptChanges>(std::move(bitmap));
}

void Qcow2Bitmaps::Draft::PlaceTable(size_t index, uint64_t offset) {
  Qcow2BitmapEntry& entry = entries[index];
  entry.table = offset;
  Store<uint64_t>(entry.bytes.data(), offset, ByteOrder::kBig);
  Store<uint64_t>(&bytes[static_cast<size_t>(entry.at)], offset, ByteOrder::kBig);
}

Result<Qcow2Bitmaps::Draft> Qcow2Bitmaps::DraftOf(std::vector<Qcow2BitmapEntry> entries) {
  Draft draft;
  for (Qcow2BitmapEntry& entry : entries) {
    entry.at = draft.bytes.size();
    draft.bytes.insert(draft.bytes.end(), entry.bytes.begin(), entry.bytes.end());
  }
  draft.size = draft.bytes.size();
  if (draft.size > kMostBitmapDirectory) return Failed(ENOSPC, Why::kBitmapCount);
  draft.bytes.resize(static_cast<size_t>(AlignUp(draft.size, disk_.cluster_size())));
  draft.entries = std::move(entries);
  Status status = LookAgain();
  if (status.ok()) status = header_.CheckRoom();
  if (!status.ok()) return status;
  return draft;
}

Status Qcow2Bitmaps::LookAgain() {
  Result<Qcow2BitmapHeader> header = Qcow2BitmapHeader::Read(medium_, disk_);
  if (header.ok()) header_ = header.Take();
  return header.status();
}

std::vector<ClusterSpan> Qcow2Bitmaps::ClustersOf(const Qcow2BitmapPlace& place) const {
  const uint64_t first = place.offset >> disk_.cluster_bits;
  return {{first, first + (AlignUp(place.size, disk_.cluster_size()) >> disk_.cluster_bits)}};
}

Result<std::vector<ClusterSpan>> Qcow2Bitmaps::PutDirectory(Draft draft, std::vector<ClusterSpan> rows) {
  const Result<ClusterSpan> taken = clusters_.TakeRow(draft.bytes.size() >> disk_.cluster_bits);
  Status status = taken.status();
  Qcow2BitmapPlace place;
  if (status.ok()) {
    rows.push_back(taken.value());
    place.count = static_cast<uint32_t>(draft.entries.size());
    place.size = draft.size;
    place.offset = taken.value().begin << disk_.cluster_bits;
    status = file_.Write({place.offset}, draft.bytes.data(), draft.bytes.size(), {}).status;
  }
  if (!status.ok()) {
    // Nothing names them. What came first is the answer; where they cannot be given back they are leaks.
    static_cast<void>(clusters_.Free(rows));
    return status;
  }
  // From here on a failure leaves open what the header names.
  status = header_.SetPlace(file_, place);
  if (!status.ok()) return status;
  entries_ = std::move(draft.entries);
  const std::optional<Qcow2BitmapPlace> before = std::exchange(place_, place);
  MarkUsed({taken.value()});
  std::vector<ClusterSpan> old;
  if (before) old = ClustersOf(*before);
  Unclaim(old);
  return old;
}

// The object, and what it has claimed, end only when the header names the bitmap no more.
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
  const Result<std::vector<ClusterSpan>> old = entries.empty() ? DropDirectory() : Replace(std::move(entries));
  if (!old.ok()) {
    if (loaded == loaded_.end()) Unclaim(free);
    return old.status();
  }
  if (loaded != loaded_.end()) {
    loaded->second.bitmap->Stop();
    loaded_.erase(loaded);
  }
  Unclaim(free);
  free.insert(free.end(), old.value().begin(), old.value().end());
  const Status freed = clusters_.Free(free);
  if (!freed.ok()) return freed;
  return true;
}

Result<std::vector<ClusterSpan>> Qcow2Bitmaps::Replace(std::vector<Qcow2BitmapEntry> entries) {
  Result<Draft> draft = DraftOf(std::move(entries));
  if (!draft.ok()) return draft.status();
  return PutDirectory(draft.Take(), {});
}

Result<std::vector<ClusterSpan>> Qcow2Bitmaps::DropDirectory() {
  Status status = LookAgain();
  if (status.ok()) status = header_.Drop(file_);
  if (!status.ok()) return status;
  const std::vector<ClusterSpan> old = ClustersOf(*place_);
  Unclaim(old);
  place_.reset();
  entries_.clear();
  return old;
}

}  // namespace blk
