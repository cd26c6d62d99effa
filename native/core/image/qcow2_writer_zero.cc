// Qcow2Writer: what moves no bytes of a caller: zeros and discards.
#include <algorithm>
#include <utility>

#include "core/image/qcow2_writer.h"

namespace blk {
namespace {

alignas(4096) constexpr uint8_t kZeros[64 * 1024] = {};

}  // namespace

Moved Qcow2Writer::WriteZeros(Channel& file, uint64_t at, uint64_t size, const PieceRules& rules) {
  PieceRules plain;
  plain.cancel = rules.cancel;
  uint64_t done = 0;
  while (done < size) {
    const auto part = static_cast<size_t>(std::min<uint64_t>(sizeof kZeros, size - done));
    const Moved moved = Write(file, at + done, kZeros, part, plain);
    done += moved.bytes;
    if (!moved.status.ok()) return {static_cast<size_t>(done), moved.status};
  }
  return {static_cast<size_t>(done), Status::Ok()};
}

Result<uint64_t> Qcow2Writer::HideBelow(Channel& file, uint64_t at, uint64_t size) {
  MutexLock lock(placing_);
  const uint64_t cluster = ClusterOf(at), unit = header_.unit_size();
  // The last unit of the disk may be a part of one.
  const uint64_t end = std::min(at + size, cluster + header_.cluster_size());
  const uint64_t whole_end = end == header_.size ? end : AlignDown(end, unit);
  if (at % unit != 0 || at >= whole_end) return uint64_t{0};
  const Status table = EnsureTable(file, at);
  if (!table.ok()) return table;
  const Result<Qcow2Entry> found = image_.tables().Entry(file, at);
  if (!found.ok()) return found.status();
  Qcow2Entry entry = found.value();
  const bool compressed = (entry.word & kQcow2Compressed) != 0;
  if (compressed) {
    // All of it or nothing.
    if (at != cluster || (end < cluster + header_.cluster_size() && end != header_.size)) return uint64_t{0};
    entry = {};
  }
  if (header_.extended_l2()) {
    const uint64_t units = UnitsTouched(at, whole_end) & ~entry.bitmap;
    entry.bitmap |= units << kSubclusters;
  } else {
    // Somebody else may have given it a place meanwhile.
    if ((entry.word & kQcow2Offset) != 0) return uint64_t{0};
    entry.word |= kQcow2Zero;
  }
  const Status set = image_.tables().SetEntries(file, cluster, {entry});
  if (!set.ok()) return set;
  if (compressed) DropCompressed(found.value());
  return whole_end - at;
}

Moved Qcow2Writer::ZeroRun(Channel& file, const Qcow2Run& run, uint64_t at, const PieceRules& rules) {
  const auto all = static_cast<size_t>(run.size);
  switch (run.kind) {
    case RunKind::kZero: return {all, Status::Ok()};
    case RunKind::kData:
      if (!run.exclusive) return {0, {EIO, Op::kZero, Why::kQcow2Refcount}};
      return file.Zero({run.host}, run.size, rules);
    case RunKind::kBacking:
      if (!ShowsBelow(at, at + run.size)) return {all, Status::Ok()};
      break;
    case RunKind::kCompressed: break;
  }
  const Result<uint64_t> hidden = HideBelow(file, at, run.size);
  if (!hidden.ok()) return {0, hidden.status()};
  if (hidden.value() > 0) return {static_cast<size_t>(hidden.value()), Status::Ok()};
  const uint64_t unit = run.kind == RunKind::kCompressed ? header_.cluster_size() : header_.unit_size();
  return WriteZeros(file, at, std::min(run.size, unit - at % unit), rules);
}

Moved Qcow2Writer::Zero(Channel& file, uint64_t at, uint64_t size, const PieceRules& rules) {
  const Qcow2Bitmaps::Change change(*bitmaps_, at, size);
  if (rules.keep_room) return rules.fast ? Moved{0, {EOPNOTSUPP, Op::kZero}} : WriteZeros(file, at, size, rules);
  uint64_t done = 0;
  while (done < size) {
    if (IsCancelled(rules.cancel)) return {static_cast<size_t>(done), {ECANCELED, Op::kZero}};
    const Result<Qcow2Run> run = image_.tables().Map(file, at + done, size - done);
    if (!run.ok()) return {static_cast<size_t>(done), run.status()};
    // Of several runs one may turn out to be slow when another one has changed.
    if (rules.fast && run.value().size < size) return {0, {EOPNOTSUPP, Op::kZero}};
    const Moved moved = ZeroRun(file, run.value(), at + done, rules);
    done += moved.bytes;
    if (!moved.status.ok()) return {static_cast<size_t>(done), moved.status};
  }
  return {static_cast<size_t>(done), Status::Ok()};
}

// What has a place is for the medium to free; of the rest whole units become zeros, never again what lies below.
Moved Qcow2Writer::Discard(Channel& file, uint64_t at, uint64_t size, const PieceRules& rules) {
  const Qcow2Bitmaps::Change change(*bitmaps_, at, size);
  uint64_t told = 0;
  for (uint64_t position = at, end = at + size; position < end;) {
    if (IsCancelled(rules.cancel)) return {static_cast<size_t>(told), {ECANCELED, Op::kDiscard}};
    const Result<Qcow2Run> run = image_.tables().Map(file, position, end - position);
    if (!run.ok()) return {static_cast<size_t>(told), run.status()};
    uint64_t step = run.value().size;
    if (run.value().kind == RunKind::kData) {
      if (!run.value().exclusive) return {static_cast<size_t>(told), {EIO, Op::kDiscard, Why::kQcow2Refcount}};
      const Moved moved = file.Discard({run.value().host}, step, rules);
      told += moved.bytes;
      if (!moved.status.ok()) return {static_cast<size_t>(told), moved.status};
    } else if (run.value().kind == RunKind::kCompressed || ShowsBelow(position, position + step)) {
      const Result<uint64_t> hidden = HideBelow(file, position, step);
      if (!hidden.ok()) return {static_cast<size_t>(told), hidden.status()};
      told += hidden.value();
      const uint64_t unit = header_.unit_size();
      step = hidden.value() > 0 ? hidden.value() : std::min(step, unit - position % unit);
    } else {
      told += step;
    }
    position += step;
  }
  return {static_cast<size_t>(told), Status::Ok()};
}

}  // namespace blk
