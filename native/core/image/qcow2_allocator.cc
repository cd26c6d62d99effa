#include "core/image/qcow2_allocator.h"

#include <algorithm>

namespace blk {
namespace {

// Of the first claim, and of the largest: each one is four times the one before. A sync writes all that is waiting to
// be written, so few of them, early, are what first writes can afford; a crash leaves no more than one claim counted.
constexpr uint64_t kFirstClaim = uint64_t{16} << 20, kLargestClaim = uint64_t{1} << 30;  // bytes
constexpr uint64_t kLeastClaim = 16;                                                     // clusters
// That may be counted behind the end of the file.
constexpr uint64_t kMostPastEnd = uint64_t{1} << 30;
// For data behind the end, before all of the file is taken for it.
constexpr int kMostLooks = 64;
// An entry has room for no more.
constexpr uint64_t kMostOffset = uint64_t{1} << 55;

}  // namespace

Result<std::unique_ptr<Qcow2Allocator>> Qcow2Allocator::Create(Medium& medium, Channel& file, const Qcow2Header& header,
                                                               Qcow2Tables& tables) {
  const Result<uint64_t> size = medium.SizeNow();
  if (!size.ok()) return size.status();
  auto counts = Qcow2Refcounts::Create(file, header, size.value());
  if (!counts.ok()) return counts.status();
  std::unique_ptr<Qcow2Allocator> allocator(new Qcow2Allocator(medium, file, header, tables));
  allocator->counts_ = counts.Take();
  const Status found = allocator->FindNext(size.value());
  if (!found.ok()) return found;
  return allocator;
}

// Behind what is counted, the tables that the header names, and all that holds data: so nothing is written over that an
// image whose counts are wrong has in use.
Status Qcow2Allocator::FindNext(uint64_t file_size) {
  const Result<uint64_t> counted = counts_->End();
  if (!counted.ok()) return counted.status();
  const uint64_t tables =
      std::max(header_.l1_offset + uint64_t{header_.l1_entries} * 8,
               header_.refcount_table + (uint64_t{header_.refcount_clusters} << header_.cluster_bits));
  uint64_t end = std::max(counted.value() << header_.cluster_bits, tables);
  if (medium_.identity().kind == MediumKind::kFile) {
    // Counted and never written: what a crash leaves, but not so much of it.
    if (end > file_size && end - file_size > kMostPastEnd) return {EIO, Op::kOpen, Why::kQcow2Refcount};
    for (int looks = 0; end < file_size; looks++) {
      const MediumSpan data = file_.NextData({{end}, {file_size}});
      if (data.empty()) break;
      end = looks < kMostLooks ? data.end.value : file_size;
    }
  }
  next_ = (end + header_.cluster_size() - 1) >> header_.cluster_bits;
  claim_ = std::max(kLeastClaim, kFirstClaim >> header_.cluster_bits);
  return Status::Ok();
}

Result<uint64_t> Qcow2Allocator::Room(uint64_t want) const {
  const Status full = {ENOSPC, Op::kPwrite, Why::kImageFull};
  uint64_t end = kMostOffset;
  if (medium_.identity().kind != MediumKind::kFile) {
    const Result<uint64_t> size = medium_.SizeNow();
    if (!size.ok()) return size.status();
    end = size.value();
  }
  end >>= header_.cluster_bits;
  if (end <= next_) return full;
  return std::min(want, end - next_);
}

Status Qcow2Allocator::Clear(ClusterSpan clusters) {
  const Result<uint64_t> size = medium_.SizeNow();
  if (!size.ok()) return size.status();
  const uint64_t begin = clusters.begin << header_.cluster_bits, end = clusters.end << header_.cluster_bits;
  // What lies behind the end of a file is zeros as soon as it is longer.
  const uint64_t there = std::min(end, size.value());
  if (begin < there) {
    const Status status = file_.Zero({begin}, there - begin, {}).status;
    if (!status.ok()) return status;
  }
  if (there < end) {
    constexpr uint8_t kZeros[512] = {};
    const Status status = file_.Write({end - sizeof kZeros}, kZeros, sizeof kZeros, {}).status;
    if (!status.ok()) return status;
  }
  tables_.NoteFileSize(end);
  return Status::Ok();
}

// Where the host has no room for all of a claim, or no file may be so long, a smaller one may do.
Result<ClusterSpan> Qcow2Allocator::ClearMost() {
  for (;;) {
    const uint64_t of_block = counts_->block_entries() - next_ % counts_->block_entries();
    const Result<uint64_t> room = Room(std::min(claim_, of_block));
    if (!room.ok()) return room.status();
    const ClusterSpan span = {next_, next_ + room.value()};
    const Status status = Clear(span);
    if (status.ok()) return span;
    const bool is_full = status.err == ENOSPC || status.err == EFBIG || status.err == EDQUOT;
    if (!is_full || span.count() == 1) return status;
    claim_ = span.count() / 2;
  }
}

Status Qcow2Allocator::Claim() {
  if (!counts_->InTable(next_)) {
    const Result<uint64_t> growth = counts_->Growth(next_);
    if (!growth.ok()) return growth.status();
    const Result<uint64_t> room = Room(growth.value());
    if (!room.ok()) return room.status();
    if (room.value() < growth.value()) return {ENOSPC, Op::kPwrite, Why::kImageFull};
    const Status cleared = Clear({next_, next_ + growth.value()});
    if (!cleared.ok()) return cleared;
    const Result<ClusterSpan> old = counts_->Grow(next_);
    if (!old.ok()) return old.status();
    next_ += growth.value();
    const Status freed = counts_->Drop(old.value());
    if (!freed.ok()) return freed;
  }
  const Result<ClusterSpan> cleared = ClearMost();
  if (!cleared.ok()) return cleared.status();
  ClusterSpan span = cleared.value();
  Status status = Status::Ok();
  const bool adds = !counts_->HasBlock(next_);
  if (adds) {
    status = counts_->AddBlock(span.begin, span.end);
    span.begin++;
  } else {
    status = counts_->Set(span, 1);
    if (status.ok()) status = file_.Sync();
  }
  // After a failure it is not known what is counted: nobody gets these clusters.
  next_ = span.end;
  if (!status.ok()) return status;
  claimed_ = span;
  claim_ = std::min(claim_ * 4, std::max(kLeastClaim, kLargestClaim >> header_.cluster_bits));
  return Status::Ok();
}

Result<ClusterSpan> Qcow2Allocator::Take(uint64_t most) {
  while (claimed_.count() == 0) {
    const Status claimed = Claim();
    if (!claimed.ok()) return claimed;
  }
  const ClusterSpan taken = {claimed_.begin, claimed_.begin + std::min(most, claimed_.count())};
  claimed_.begin = taken.end;
  return taken;
}

Status Qcow2Allocator::Freed(const std::vector<ClusterSpan>& clusters) {
  Status first = Status::Ok();
  for (const ClusterSpan& span : clusters) {
    const Status status = counts_->Drop(span);
    if (first.ok()) first = status;
  }
  return first;
}

Status Qcow2Allocator::CheckReferences(const std::vector<uint64_t>& references) const {
  std::vector<uint64_t> own = {0};
  counts_->AddOwn(own);
  const uint64_t l1_end = header_.l1_offset + uint64_t{header_.l1_entries} * 8;
  for (uint64_t at = header_.l1_offset; at < l1_end; at += header_.cluster_size()) {
    own.push_back(at >> header_.cluster_bits);
  }
  const bool meets = std::any_of(own.begin(), own.end(), [&](uint64_t cluster) {
    return std::binary_search(references.begin(), references.end(), cluster);
  });
  return meets ? Status{EIO, Op::kPwrite, Why::kQcow2Entry} : Status::Ok();
}

Status Qcow2Allocator::FreeAll(const std::vector<uint64_t>& references) {
  Status first = Status::Ok();
  const auto note = [&](const Status& status) {
    if (first.ok()) first = status;
  };
  ClusterSpan room;  // that nothing refers to, and is not given back yet
  const auto give_back = [&] {
    const uint64_t begin = room.begin << header_.cluster_bits, end = room.end << header_.cluster_bits;
    if (begin < end) note(file_.Discard({begin}, end - begin, {}).status);
  };
  for (const uint64_t cluster : references) {
    const Status dropped = counts_->Drop({cluster, cluster + 1});
    note(dropped);
    if (!dropped.ok()) continue;
    const Result<uint64_t> left = counts_->Get(cluster);
    note(left.status());
    if (!left.ok() || left.value() != 0) continue;
    if (cluster != room.end) {
      give_back();
      room.begin = cluster;
    }
    room.end = cluster + 1;
  }
  give_back();
  note(End());
  const Result<uint64_t> size = medium_.SizeNow();
  note(size.status());
  if (first.ok()) note(FindNext(size.value()));
  return first;
}

Status Qcow2Allocator::End() {
  const ClusterSpan unused = std::exchange(claimed_, {});
  if (unused.count() == 0) return Status::Ok();
  const Status status = counts_->Set(unused, 0);
  if (!status.ok()) return status;
  // What made the file longer goes, so that the next one to write begins here.
  const uint64_t begin = unused.begin << header_.cluster_bits, end = unused.end << header_.cluster_bits;
  return file_.Discard({begin}, end - begin, {}).status;
}

}  // namespace blk
