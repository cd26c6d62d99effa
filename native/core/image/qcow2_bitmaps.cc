#include "core/image/qcow2_bitmaps.h"

#include <algorithm>
#include <utility>

#include "core/base/byte_order.h"

namespace blk {
namespace {

struct Directory {
  Qcow2BitmapPlace place;
  std::vector<Qcow2BitmapEntry> entries;
};

// Nothing: there is none, or it makes no sense.
Result<std::optional<Directory>> ReadDirectory(Medium& file, const Qcow2Header& disk, const Qcow2BitmapHeader& header) {
  const std::optional<Directory> none;
  const auto place = header.place();
  if (!place || place->count == 0 || place->count > kMostBitmaps || place->size > kMostBitmapDirectory) return none;
  const Result<uint64_t> end = file.SizeNow();
  if (!end.ok()) return end.status();
  const uint64_t at = place->offset;
  if (at == 0 || at % disk.cluster_size() != 0 || at > end.value() || place->size > end.value() - at) return none;
  std::vector<uint8_t> bytes(static_cast<size_t>(place->size));
  const Status read = file.Read({at}, bytes.data(), bytes.size());
  if (!read.ok()) return read;
  auto entries = ParseBitmapDirectory(bytes, place->count);
  if (!entries) return none;
  return std::optional<Directory>({*place, std::move(*entries)});
}

KeptBitmap Describe(const Qcow2BitmapEntry& entry) {
  return {entry.name, entry.shift, !entry.in_use() && entry.known(), entry.on()};
}

}  // namespace

Result<std::unique_ptr<Qcow2Bitmaps>> Qcow2Bitmaps::Begin(Qcow2Image& image, Qcow2Clusters& clusters, Channel& file) {
  std::unique_ptr<Qcow2Bitmaps> bitmaps(new Qcow2Bitmaps(image, clusters, file));
  const Status opened = bitmaps->Open();
  if (!opened.ok()) return opened;
  return bitmaps;
}

Result<std::vector<KeptBitmap>> Qcow2Bitmaps::ListIn(Medium& file, const Qcow2Header& disk) {
  const Result<Qcow2BitmapHeader> header = Qcow2BitmapHeader::Read(file, disk);
  if (!header.ok()) return header.status();
  const Result<std::optional<Directory>> found = ReadDirectory(file, disk, header.value());
  if (!found.ok()) return found.status();
  std::vector<KeptBitmap> list;
  if (found.value()) {
    for (const Qcow2BitmapEntry& entry : found.value()->entries) list.push_back(Describe(entry));
  }
  return list;
}

std::vector<KeptBitmap> Qcow2Bitmaps::List() const {
  std::vector<KeptBitmap> list;
  for (const Qcow2BitmapEntry& entry : entries_) {
    list.push_back(Describe(entry));
    const auto loaded = entry.twice ? loaded_.end() : loaded_.find(entry.name);
    if (loaded != loaded_.end()) list.back().consistent = loaded->second.bitmap->consistent();
  }
  return list;
}

Status Qcow2Bitmaps::Open() {
  Result<Qcow2BitmapHeader> header = Qcow2BitmapHeader::Read(medium_, disk_);
  if (!header.ok()) return header.status();
  header_ = header.Take();
  if (header_.autoclear() == 0) return Status::Ok();
  Result<std::optional<Directory>> found = ReadDirectory(medium_, disk_, header_);
  if (!found.ok()) return found.status();
  bool usable = found.value().has_value();
  if (usable) {
    Directory& directory = *found.value();
    busy_ = clusters_.TableClusters();
    const uint64_t first = directory.place.offset >> disk_.cluster_bits;
    const uint64_t last =
        (directory.place.offset + std::max<uint64_t>(directory.place.size, 1) - 1) >> disk_.cluster_bits;
    const Result<bool> alone = Claim({{first, last + 1}});
    if (!alone.ok()) return alone.status();
    usable = alone.value();
    if (usable) {
      place_ = directory.place;
      entries_ = std::move(directory.entries);
    }
  }
  Status status = LoadOnes();
  if (status.ok()) status = MarkInUse();
  // What cannot be read is not looked at any more, by anybody.
  if (status.ok()) status = header_.SetAutoclear(file_, usable ? header_.autoclear() & kAutoclearBitmaps : 0);
  return status.ok() ? file_.Sync() : status;
}

Result<bool> Qcow2Bitmaps::Claim(const std::vector<ClusterSpan>& clusters) {
  std::unordered_set<uint64_t> claimed;
  for (const ClusterSpan& span : clusters) {
    for (uint64_t cluster = span.begin; cluster < span.end; cluster++) {
      if (std::binary_search(busy_.begin(), busy_.end(), cluster) || used_.count(cluster) != 0) return false;
      if (!claimed.insert(cluster).second) return false;
    }
    const Result<bool> single = clusters_.AreSingle(span);
    if (!single.ok() || !single.value()) return single;
  }
  used_.merge(claimed);
  return true;
}

void Qcow2Bitmaps::MarkUsed(const std::vector<ClusterSpan>& clusters) {
  for (const ClusterSpan& span : clusters) {
    for (uint64_t cluster = span.begin; cluster < span.end; cluster++) used_.insert(cluster);
  }
}

void Qcow2Bitmaps::Unclaim(const std::vector<ClusterSpan>& clusters) {
  for (const ClusterSpan& span : clusters) {
    for (uint64_t cluster = span.begin; cluster < span.end; cluster++) used_.erase(cluster);
  }
}

Result<std::optional<Qcow2BitmapTable>> Qcow2Bitmaps::TableOf(const Qcow2BitmapEntry& entry) {
  Result<std::optional<Qcow2BitmapTable>> table = Qcow2BitmapTable::Read(medium_, disk_, entry);
  if (!table.ok() || !table.value()) return table;
  const Result<bool> alone = Claim(table.value()->Clusters());
  if (!alone.ok()) return alone.status();
  if (!alone.value()) return std::optional<Qcow2BitmapTable>();
  return table;
}

std::shared_ptr<ChangeMap> Qcow2Bitmaps::NewMap(unsigned shift) const {
  return std::make_shared<ChangeMap>(MediumSpan{{0}, {disk_.size}}, shift);
}

std::shared_ptr<Qcow2Bitmap> Qcow2Bitmaps::Hold(const Qcow2BitmapEntry& entry, Qcow2BitmapTable table, bool consistent,
                                                std::shared_ptr<ChangeMap> map) {
  auto bitmap = std::make_shared<Qcow2Bitmap>(tracks_, std::move(map), consistent);
  loaded_.emplace(entry.name, Loaded{bitmap, std::move(table)});
  any_.store(true);
  return bitmap;
}

Status Qcow2Bitmaps::LoadOnes() {
  for (const Qcow2BitmapEntry& entry : entries_) {
    if (!entry.on() || entry.in_use() || !entry.known()) continue;
    Result<std::optional<Qcow2BitmapTable>> table = TableOf(entry);
    if (!table.ok()) return table.status();
    if (!table.value()) continue;
    auto map = NewMap(entry.shift);
    const Status loaded = table.value()->Load(medium_, file_, *map);
    if (!loaded.ok()) return loaded;
    Hold(entry, std::move(*table.value()), true, std::move(map));
  }
  return Status::Ok();
}

Status Qcow2Bitmaps::SetFlags(Qcow2BitmapEntry& entry, uint32_t flags) {
  uint8_t word[4];
  Store<uint32_t>(word, flags, ByteOrder::kBig);
  const Status written = file_.Write({place_->offset + entry.at + kBitmapFlagsField}, word, sizeof word, {}).status;
  if (!written.ok()) return written;
  entry.flags = flags;
  std::copy(word, word + sizeof word, entry.bytes.begin() + kBitmapFlagsField);
  return written;
}

Status Qcow2Bitmaps::MarkInUse() {
  for (Qcow2BitmapEntry& entry : entries_) {
    if (!entry.on() || entry.in_use()) continue;
    const Status set = SetFlags(entry, entry.flags | kBitmapInUse);
    if (!set.ok()) return set;
  }
  return Status::Ok();
}

Status Qcow2Bitmaps::End() {
  any_.store(false);
  Status first = Status::Ok();
  std::vector<Qcow2BitmapEntry*> saved;
  for (Qcow2BitmapEntry& entry : entries_) {
    const auto loaded = entry.twice ? loaded_.end() : loaded_.find(entry.name);
    if (loaded == loaded_.end() || !loaded->second.bitmap->Stop()) continue;
    const ChangeMap& map = *loaded->second.bitmap->map();
    const Status status = loaded->second.table.Save(medium_, file_, clusters_, map);
    if (status.ok()) saved.push_back(&entry);
    if (first.ok()) first = status;
  }
  if (saved.empty()) return first;
  Status status = file_.Sync();
  for (size_t i = 0; i < saved.size() && status.ok(); i++) {
    status = SetFlags(*saved[i], saved[i]->flags & ~kBitmapInUse);
  }
  if (status.ok()) status = file_.Sync();
  return first.ok() ? status : first;
}

}  // namespace blk
