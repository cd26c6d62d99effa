#include "core/image/qcow2_writer.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "core/base/no_memory.h"

namespace blk {
namespace {

// Copied from below at a time, and zeros that are written.
constexpr uint64_t kFillBytes = 64 * 1024;
// Clusters that get their entries by one write.
constexpr uint64_t kMostAtOnce = 512;
constexpr uint64_t kAllUnits = 0xffffffff;

bool IsZero(const std::vector<uint8_t>& bytes, size_t size) {
  return size == 0 || (bytes[0] == 0 && std::memcmp(bytes.data(), bytes.data() + 1, size - 1) == 0);
}

Status Shared() { return {EIO, Op::kPwrite, Why::kQcow2Refcount}; }

}  // namespace

Result<std::unique_ptr<Qcow2Writer>> Qcow2Writer::Create(Qcow2Image& image, Channel& file) {
  const Status may = MayWriteQcow2(image.header());
  if (!may.ok()) return may;
  auto allocator = Qcow2Allocator::Create(image.file(), file, image.header(), image.tables());
  if (!allocator.ok()) return allocator.status();
  std::unique_ptr<Qcow2Writer> writer(new Qcow2Writer(image, file));
  {
    MutexLock lock(writer->placing_);
    writer->allocator_ = allocator.Take();
  }
  auto bitmaps = Qcow2Bitmaps::Begin(image, *writer, file);
  if (!bitmaps.ok()) return bitmaps.status();
  writer->bitmaps_ = bitmaps.Take();
  return writer;
}

bool Qcow2Writer::ShowsBelow(uint64_t begin, uint64_t end) const {
  return begin < end && image_.backing() != nullptr && begin < image_.backing()->size();
}

Moved Qcow2Writer::Write(Channel& file, uint64_t at, const uint8_t* data, size_t size, const PieceRules& rules) {
  const Qcow2Bitmaps::Change change(*bitmaps_, at, size);
  size_t done = 0;
  while (done < size) {
    if (IsCancelled(rules.cancel)) return {done, {ECANCELED, Op::kPwrite}};
    const uint64_t from = at + done;
    Result<Qcow2Run> run = image_.tables().Map(file, from, size - done);
    if (!run.ok()) return {done, run.status()};
    // What has a place keeps it for as long as the image is attached.
    if (run.value().kind == RunKind::kData) {
      if (!run.value().exclusive) return {done, Shared()};
      const Moved moved = file.Write({run.value().host}, data + done, static_cast<size_t>(run.value().size), rules);
      done += moved.bytes;
      if (!moved.status.ok()) return {done, moved.status};
      continue;
    }
    MutexLock lock(placing_);
    const Result<uint64_t> placed = Place(file, from, data + done, size - done);
    if (!placed.ok()) return {done, placed.status()};
    done += static_cast<size_t>(placed.value());
  }
  return {done, Status::Ok()};
}

Status Qcow2Writer::EnsureTable(Channel& file, uint64_t at) {
  const Result<Qcow2Tables::Table> table = image_.tables().TableFor(at);
  if (!table.ok()) return table.status();
  if (table.value().offset != 0) return table.value().exclusive ? Status::Ok() : Shared();
  const Result<ClusterSpan> taken = allocator_->Take(1);
  if (!taken.ok()) return taken.status();
  return image_.tables().SetTable(file, at, taken.value().begin << header_.cluster_bits);
}

Result<uint64_t> Qcow2Writer::Place(Channel& file, uint64_t at, const uint8_t* data, uint64_t size) {
  // Somebody else may have placed it meanwhile.
  const Result<Qcow2Run> run = image_.tables().Map(file, at, size);
  if (!run.ok()) return run.status();
  if (run.value().kind == RunKind::kData) return uint64_t{0};
  const Status table = EnsureTable(file, at);
  if (!table.ok()) return table;
  const Result<Qcow2Entry> entry = image_.tables().Entry(file, at);
  if (!entry.ok()) return entry.status();
  const uint64_t in_cluster = std::min(size, header_.cluster_size() - at % header_.cluster_size());
  if ((entry.value().word & kQcow2Compressed) != 0) return PlaceCompressed(file, at, data, in_cluster, entry.value());
  if ((entry.value().word & kQcow2Offset) != 0) return PlaceMore(file, at, data, in_cluster, entry.value());
  return PlaceNew(file, at, data, size, entry.value());
}

uint64_t Qcow2Writer::UnitsTouched(uint64_t begin, uint64_t end) const {
  if (begin >= end) return 0;
  const uint64_t first = begin % header_.cluster_size() / header_.unit_size();
  const uint64_t last = (end - 1) % header_.cluster_size() / header_.unit_size();
  return ((uint64_t{2} << last) - 1) & ~((uint64_t{1} << first) - 1);
}

// Where nothing but zeros shows beside what was written, all of the cluster is allocated: it reads as zeros, and no
// later write into it needs another entry.
Qcow2Entry Qcow2Writer::NewEntry(const Qcow2Entry& old, uint64_t host, uint64_t begin, uint64_t end) const {
  Qcow2Entry entry = {host | kQcow2Copied, 0};
  if (!header_.extended_l2()) return entry;
  const uint64_t touched = UnitsTouched(begin, end), zero = old.bitmap >> kSubclusters;
  const uint64_t cluster = ClusterOf(begin);
  uint64_t below = 0;
  if (ShowsBelow(cluster, cluster + header_.cluster_size())) {
    const uint64_t rest = std::min(header_.cluster_size(), image_.backing()->size() - cluster);
    below = UnitsTouched(cluster, cluster + rest) & ~zero & ~touched;
  }
  entry.bitmap = kAllUnits & ~below;
  return entry;
}

Status Qcow2Writer::Fill(Channel& file, uint64_t host, uint64_t begin, uint64_t end, bool always, bool* moved) {
  if (begin >= end) return Status::Ok();
  const Result<Qcow2Run> run = image_.tables().Map(file, begin, end - begin);
  if (!run.ok()) return run.status();
  const bool below = run.value().kind == RunKind::kBacking && ShowsBelow(begin, end);
  if (!below && !always) return Status::Ok();
  std::vector<uint8_t> bytes(static_cast<size_t>(std::min(kFillBytes, end - begin)));
  for (uint64_t at = begin; at < end;) {
    const auto part = static_cast<size_t>(std::min<uint64_t>(bytes.size(), end - at));
    if (below) {
      const Moved read = image_.backing()->Read(at, bytes.data(), part, {});
      if (!read.status.ok()) return read.status;
    }
    if (always || !IsZero(bytes, part)) {
      const Moved written = file.Write({host + at % header_.cluster_size()}, bytes.data(), part, {});
      if (!written.status.ok()) return written.status;
      *moved = true;
    }
    at += part;
  }
  return Status::Ok();
}

Result<uint64_t> Qcow2Writer::PlaceNew(Channel& file, uint64_t at, const uint8_t* data, uint64_t size,
                                       const Qcow2Entry& first) {
  const uint64_t cluster_size = header_.cluster_size(), start = ClusterOf(at);
  const uint64_t table_end = (at / header_.l2_span() + 1) * header_.l2_span();
  const uint64_t want_end = std::min(at + size, table_end);
  // Neighbours that have no place either.
  std::vector<Qcow2Entry> old = {first};
  for (uint64_t next = start + cluster_size; next < want_end && old.size() < kMostAtOnce; next += cluster_size) {
    const Result<Qcow2Entry> entry = image_.tables().Entry(file, next);
    if (!entry.ok() || (entry.value().word & (kQcow2Compressed | kQcow2Offset)) != 0) break;
    old.push_back(entry.value());
  }
  const Result<ClusterSpan> taken = allocator_->Take(old.size());
  if (!taken.ok()) return taken.status();
  old.resize(static_cast<size_t>(taken.value().count()));
  const uint64_t host = taken.value().begin << header_.cluster_bits;
  const uint64_t end = std::min(want_end, start + old.size() * cluster_size);

  // Beside the caller's bytes, in the first and the last unit.
  const uint64_t last = ClusterOf(end - 1), last_host = host + (last - start), unit = header_.unit_size();
  bool moved = false;
  Status status = Fill(file, host, AlignDown(at, unit), at, false, &moved);
  if (status.ok()) status = Fill(file, last_host, end, AlignUp(end, unit), false, &moved);
  if (status.ok()) {
    status = file.Write({host + (at - start)}, data, static_cast<size_t>(end - at), {}).status;
  }
  if (status.ok() && moved) status = file_.Sync();
  if (!status.ok()) {
    allocator_->Drop(taken.value());
    return status;
  }
  std::vector<Qcow2Entry> entries;
  for (size_t i = 0; i < old.size(); i++) {
    const uint64_t cluster = start + i * cluster_size;
    entries.push_back(
        NewEntry(old[i], host + i * cluster_size, std::max(at, cluster), std::min(end, cluster + cluster_size)));
  }
  status = image_.tables().SetEntries(file, start, entries);
  if (!status.ok()) return status;
  return end - at;
}

// What a cluster has where nothing is allocated is not known: QEMU leaves there what it had.
Result<uint64_t> Qcow2Writer::PlaceMore(Channel& file, uint64_t at, const uint8_t* data, uint64_t size,
                                        Qcow2Entry entry) {
  const uint64_t cluster = ClusterOf(at), host = entry.word & kQcow2Offset, end = at + size;
  if ((entry.word & kQcow2Copied) == 0) return Shared();
  if (host % header_.cluster_size() != 0) return Status{EIO, Op::kPwrite, Why::kQcow2Entry};
  if (!image_.tables().InFile(host)) return Status{EIO, Op::kPwrite, Why::kQcow2PastEnd};
  const uint64_t unit = header_.unit_size();
  const auto has = [&](uint64_t position) {
    return header_.extended_l2() && (entry.bitmap & UnitsTouched(position, position + 1)) != 0;
  };
  bool moved = false;
  Status status = Status::Ok();
  if (!has(at)) status = Fill(file, host, AlignDown(at, unit), at, true, &moved);
  if (status.ok() && !has(end - 1)) status = Fill(file, host, end, AlignUp(end, unit), true, &moved);
  if (status.ok()) status = file.Write({host + (at - cluster)}, data, static_cast<size_t>(size), {}).status;
  if (status.ok() && moved) status = file_.Sync();
  if (!status.ok()) return status;
  entry.word = host | kQcow2Copied;
  const uint64_t touched = UnitsTouched(at, end);
  if (header_.extended_l2()) entry.bitmap = (entry.bitmap | touched) & ~(touched << kSubclusters);
  status = image_.tables().SetEntries(file, cluster, {entry});
  if (!status.ok()) return status;
  return size;
}

void Qcow2Writer::DropCompressed(const Qcow2Entry& entry) {
  const unsigned shift = 62 - (header_.cluster_bits - 8);
  const uint64_t host = entry.word & ((uint64_t{1} << shift) - 1);
  const uint64_t sectors = ((entry.word & ~(kQcow2Copied | kQcow2Compressed)) >> shift) + 1;
  const uint64_t begin = AlignDown(host, kDevBsize), end = begin + sectors * kDevBsize;
  allocator_->Drop({begin >> header_.cluster_bits, ((end - 1) >> header_.cluster_bits) + 1});
}

Result<uint64_t> Qcow2Writer::PlaceCompressed(Channel& file, uint64_t at, const uint8_t* data, uint64_t size,
                                              const Qcow2Entry& entry) {
  const uint64_t cluster = ClusterOf(at);
  std::vector<uint8_t> bytes(static_cast<size_t>(header_.cluster_size()));
  const bool whole = size == header_.cluster_size();
  if (!whole) {
    // The last cluster may reach out of the disk: by the tables, not by the disk.
    const Result<Qcow2Run> run = image_.tables().Map(file, cluster, 1);
    if (!run.ok()) return run.status();
    const Status read = image_.ReadCompressed(file, run.value(), bytes.data(), bytes.size());
    if (!read.ok()) return read;
  }
  std::memcpy(bytes.data() + (at - cluster), data, static_cast<size_t>(size));
  const Result<ClusterSpan> taken = allocator_->Take(1);
  if (!taken.ok()) return taken.status();
  const uint64_t host = taken.value().begin << header_.cluster_bits;
  Status status = file.Write({host}, bytes.data(), bytes.size(), {}).status;
  if (status.ok() && !whole) status = file_.Sync();
  if (!status.ok()) {
    allocator_->Drop(taken.value());
    return status;
  }
  status = image_.tables().SetEntries(file, cluster, {{host | kQcow2Copied, header_.extended_l2() ? kAllUnits : 0}});
  if (!status.ok()) return status;
  DropCompressed(entry);
  return size;
}

Status Qcow2Writer::Sync() {
  std::vector<ClusterSpan> dropped;
  {
    MutexLock lock(placing_);
    dropped = allocator_->TakeDropped();
  }
  const Status synced = file_.Sync();
  if (dropped.empty()) return synced;
  MutexLock lock(placing_);
  if (synced.ok()) return allocator_->Freed(dropped);
  // They may be in use, for all that is known now: counted is what they stay.
  return synced;
}

Status Qcow2Writer::End() {
  Status saved = {ENOMEM, Op::kClose};
  // Without memory they stay marked as in use.
  static_cast<void>(HadMemory([&] { saved = bitmaps_->End(); }));
  bool has_dropped = false;
  {
    MutexLock lock(placing_);
    has_dropped = allocator_->has_dropped();
  }
  const Status synced = has_dropped ? Sync() : Status::Ok();
  MutexLock lock(placing_);
  const Status ended = allocator_->End();
  if (!saved.ok()) return saved;
  return synced.ok() ? ended : synced;
}

}  // namespace blk
