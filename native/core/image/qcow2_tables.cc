#include "core/image/qcow2_tables.h"

#include <algorithm>

#include "core/base/byte_order.h"
#include "core/base/no_memory.h"

namespace blk {
namespace {

constexpr uint64_t kPieceBytes = 4096;
// 32 MiB of them: the tables of 256 GiB at clusters of 64 KiB.
constexpr size_t kMostPieces = 8192;
constexpr uint64_t kSector = 512;  // that compressed clusters are counted in

Status Damaged(Why why) { return {EIO, Op::kPread, why}; }

uint64_t BigEndian(uint64_t word) {
  uint8_t bytes[8];
  Store<uint64_t>(bytes, word, ByteOrder::kBig);
  return Load<uint64_t>(bytes);
}

}  // namespace

Qcow2Tables::Qcow2Tables(const Qcow2Header& header)
    : header_(header),
      piece_entries_(std::min(header.cluster_size(), kPieceBytes) / (8 * header.entry_words())),
      file_size_(0) {}

Result<std::unique_ptr<Qcow2Tables>> Qcow2Tables::Create(Medium& file, const Qcow2Header& header, uint64_t file_size) {
  std::unique_ptr<Qcow2Tables> tables(new Qcow2Tables(header));
  const Status loaded = tables->Reload(file, file_size);
  if (!loaded.ok()) return loaded;
  return tables;
}

Status Qcow2Tables::Reload(Medium& file, uint64_t file_size) {
  std::vector<uint64_t> l1(header_.l1_entries);
  if (!l1.empty()) {
    const Status read = file.Read({header_.l1_offset}, l1.data(), l1.size() * 8);
    if (!read.ok()) return read;
  }
  for (uint64_t& word : l1) word = BigEndian(word);
  WriterLock lock(mu_);
  l1_ = std::move(l1);
  by_number_.clear();
  pieces_.clear();
  hand_ = 0;
  file_size_.store(file_size, std::memory_order_relaxed);
  return Status::Ok();
}

void Qcow2Tables::AddClusters(std::vector<uint64_t>& clusters) const {
  const uint64_t first = header_.l1_offset >> header_.cluster_bits;
  const uint64_t bytes = uint64_t{header_.l1_entries} * 8;
  for (uint64_t i = 0; i << header_.cluster_bits < bytes; i++) clusters.push_back(first + i);
  ReaderLock lock(mu_);
  for (const uint64_t entry : l1_) {
    if ((entry & kQcow2Offset) != 0) clusters.push_back((entry & kQcow2Offset) >> header_.cluster_bits);
  }
}

void Qcow2Tables::NoteFileSize(uint64_t size) {
  uint64_t known = file_size_.load(std::memory_order_relaxed);
  while (known < size && !file_size_.compare_exchange_weak(known, size, std::memory_order_relaxed)) {
  }
}

Result<uint64_t> Qcow2Tables::TableAt(uint64_t at) const {
  const uint64_t table = l1_[static_cast<size_t>(at / header_.l2_span())] & kQcow2Offset;
  if (table % header_.cluster_size() != 0) return Damaged(Why::kQcow2Entry);
  const uint64_t end = file_size_.load(std::memory_order_relaxed);
  if (table != 0 && (table >= end || header_.cluster_size() > end - table)) return Damaged(Why::kQcow2PastEnd);
  return table;
}

Qcow2Tables::Piece* Qcow2Tables::Find(uint64_t number) const {
  const auto found = by_number_.find(number);
  if (found == by_number_.end()) return nullptr;
  Piece* const piece = found->second;
  // Not written where it says so already, so that readers on several processors do not take the line from each other.
  if (!piece->used.load(std::memory_order_relaxed)) piece->used.store(true, std::memory_order_relaxed);
  return piece;
}

// A new one while there may be more; else the first that was not used since the hand of the clock went by it.
Qcow2Tables::Piece* Qcow2Tables::FreePiece() {
  if (pieces_.size() < kMostPieces) {
    pieces_.push_back(std::make_unique<Piece>());
    pieces_.back()->words.resize(static_cast<size_t>(piece_entries_) * header_.entry_words());
    return pieces_.back().get();
  }
  while (pieces_[hand_]->used.exchange(false, std::memory_order_relaxed)) hand_ = (hand_ + 1) % pieces_.size();
  Piece* const piece = pieces_[hand_].get();
  hand_ = (hand_ + 1) % pieces_.size();
  const auto found = by_number_.find(piece->number);
  // One whose load failed is in nobody's way.
  if (found != by_number_.end() && found->second == piece) by_number_.erase(found);
  return piece;
}

Result<Qcow2Tables::Piece*> Qcow2Tables::Load(Channel& file, uint64_t at, uint64_t table) {
  const uint64_t number = PieceAt(at);
  Piece* piece = nullptr;
  Status read = Status::Ok();
  const auto load = [&]() REQUIRES(mu_) {
    piece = FreePiece();
    const size_t bytes = piece->words.size() * 8;
    const uint64_t in_table = number % (header_.l2_entries() / piece_entries_) * bytes;
    read = file.Read({table + in_table}, piece->words.data(), bytes, {}).status;
    if (!read.ok()) return;
    for (uint64_t& word : piece->words) word = BigEndian(word);
    by_number_[number] = piece;
    piece->number = number;
    piece->used.store(true, std::memory_order_relaxed);
  };
  if (!HadMemory(load)) return Status{ENOMEM, Op::kPread};
  if (!read.ok()) return read;
  return piece;
}

Result<Qcow2Tables::Piece*> Qcow2Tables::Loaded(Channel& file, uint64_t at, uint64_t table) {
  if (Piece* const piece = Find(PieceAt(at))) return piece;
  return Load(file, at, table);
}

Result<Qcow2Run> Qcow2Tables::CompressedUnit(uint64_t word, uint64_t at) const {
  Qcow2Run run;
  run.kind = RunKind::kCompressed;
  const unsigned shift = 62 - (header_.cluster_bits - 8);
  run.host = word & ((uint64_t{1} << shift) - 1);
  const uint64_t sectors = ((word & ~(kQcow2Copied | kQcow2Compressed)) >> shift) + 1;
  run.packed = sectors * kSector - run.host % kSector;
  run.size = header_.cluster_size() - at % header_.cluster_size();
  if (run.host < header_.cluster_size()) return Damaged(Why::kQcow2Entry);
  if (run.host >= file_size_.load(std::memory_order_relaxed)) return Damaged(Why::kQcow2PastEnd);
  return run;
}

Result<Qcow2Run> Qcow2Tables::Unit(const Qcow2Entry& entry, uint64_t at) const {
  if ((entry.word & kQcow2Compressed) != 0) return CompressedUnit(entry.word, at);
  Qcow2Run run;
  run.cluster = entry.word & kQcow2Offset;
  run.exclusive = (entry.word & kQcow2Copied) != 0;
  run.size = header_.unit_size() - at % header_.unit_size();
  if (run.cluster % header_.cluster_size() != 0) return Damaged(Why::kQcow2Entry);
  if (header_.extended_l2()) {
    const unsigned unit = static_cast<unsigned>(at % header_.cluster_size() / header_.unit_size());
    const bool allocated = (entry.bitmap >> unit & 1) != 0, zero = (entry.bitmap >> (kSubclusters + unit) & 1) != 0;
    if (allocated && (zero || run.cluster == 0)) return Damaged(Why::kQcow2Entry);
    run.kind = allocated ? RunKind::kData : zero ? RunKind::kZero : RunKind::kBacking;
  } else if ((entry.word & kQcow2Zero) != 0) {
    if (header_.version < 3) return Damaged(Why::kQcow2Entry);
    run.kind = RunKind::kZero;
  } else {
    run.kind = run.cluster == 0 ? RunKind::kBacking : RunKind::kData;
  }
  if (run.kind == RunKind::kData) {
    run.host = run.cluster + at % header_.cluster_size();
    if (run.cluster >= file_size_.load(std::memory_order_relaxed)) return Damaged(Why::kQcow2PastEnd);
  }
  return run;
}

Result<Qcow2Run> Qcow2Tables::Describe(const Piece& piece, uint64_t at, uint64_t want) const {
  const unsigned words = header_.entry_words();
  const uint64_t first = PieceAt(at) * piece_entries_ << header_.cluster_bits;
  const uint64_t end = std::min(at + want, first + (piece_entries_ << header_.cluster_bits));
  const auto unit_at = [&](uint64_t position) {
    const auto i = static_cast<size_t>(((position - first) >> header_.cluster_bits) * words);
    return Unit({piece.words[i], words == 2 ? piece.words[i + 1] : 0}, position);
  };
  Result<Qcow2Run> found = unit_at(at);
  if (!found.ok()) return found;
  Qcow2Run run = found.value();
  while (run.kind != RunKind::kCompressed && at + run.size < end) {
    const Result<Qcow2Run> next = unit_at(at + run.size);
    // What is damaged behind it is for whoever comes there.
    if (!next.ok() || next.value().kind != run.kind || next.value().exclusive != run.exclusive) break;
    if (run.kind == RunKind::kData && next.value().host != run.host + run.size) break;
    // Zeros with and without a place are not of one kind.
    if ((next.value().cluster == 0) != (run.cluster == 0)) break;
    run.size += next.value().size;
  }
  run.size = std::min(run.size, end - at);
  return run;
}

std::optional<Result<Qcow2Run>> Qcow2Tables::Look(uint64_t at, uint64_t want) const {
  const Result<uint64_t> table = TableAt(at);
  if (!table.ok()) return Result<Qcow2Run>(table.status());
  if (table.value() == 0) {
    Qcow2Run run;
    // On over neighbours that have none either.
    const uint64_t span = header_.l2_span(), end = at + want;
    uint64_t to = (at / span + 1) * span;
    while (to < end && l1_[static_cast<size_t>(to / span)] == 0) to += span;
    run.size = std::min(to, end) - at;
    return Result<Qcow2Run>(run);
  }
  const Piece* const piece = Find(PieceAt(at));
  if (piece == nullptr) return std::nullopt;
  return Describe(*piece, at, want);
}

std::optional<Result<Qcow2Run>> Qcow2Tables::MapCached(uint64_t at, uint64_t want) {
  ReaderLock lock(mu_);
  return Look(at, want);
}

Result<Qcow2Run> Qcow2Tables::Map(Channel& file, uint64_t at, uint64_t want) {
  if (auto run = MapCached(at, want)) return *run;
  WriterLock lock(mu_);
  const Result<uint64_t> table = TableAt(at);
  if (!table.ok()) return table.status();
  const Result<Piece*> piece = Loaded(file, at, table.value());
  if (!piece.ok()) return piece.status();
  return Describe(*piece.value(), at, want);
}

Result<Qcow2Entry> Qcow2Tables::Entry(Channel& file, uint64_t at) {
  WriterLock lock(mu_);
  const Result<uint64_t> table = TableAt(at);
  if (!table.ok()) return table.status();
  if (table.value() == 0) return Qcow2Entry{};
  const Result<Piece*> piece = Loaded(file, at, table.value());
  if (!piece.ok()) return piece.status();
  const std::vector<uint64_t>& words = piece.value()->words;
  const auto i = static_cast<size_t>((at >> header_.cluster_bits) % piece_entries_) * header_.entry_words();
  return Qcow2Entry{words[i], header_.extended_l2() ? words[i + 1] : 0};
}

Result<Qcow2Tables::Table> Qcow2Tables::TableFor(uint64_t at) {
  ReaderLock lock(mu_);
  const Result<uint64_t> table = TableAt(at);
  if (!table.ok()) return table.status();
  return Table{table.value(), (l1_[static_cast<size_t>(at / header_.l2_span())] & kQcow2Copied) != 0};
}

Status Qcow2Tables::SetTable(Channel& file, uint64_t at, uint64_t table) {
  const auto i = static_cast<size_t>(at / header_.l2_span());
  uint8_t word[8];
  Store<uint64_t>(word, table | kQcow2Copied, ByteOrder::kBig);
  WriterLock lock(mu_);
  const Moved moved = file.Write({header_.l1_offset + i * 8}, word, sizeof word, {});
  if (moved.status.ok()) l1_[i] = table | kQcow2Copied;
  return moved.status;
}

Status Qcow2Tables::SetEntries(Channel& file, uint64_t at, const std::vector<Qcow2Entry>& entries) {
  const unsigned words = header_.entry_words();
  std::vector<uint8_t> bytes(entries.size() * words * 8);
  for (size_t i = 0; i < entries.size(); i++) {
    Store<uint64_t>(&bytes[i * words * 8], entries[i].word, ByteOrder::kBig);
    if (words == 2) Store<uint64_t>(&bytes[i * 16 + 8], entries[i].bitmap, ByteOrder::kBig);
  }
  WriterLock lock(mu_);
  const Result<uint64_t> table = TableAt(at);
  if (!table.ok()) return table.status();
  const uint64_t index = (at >> header_.cluster_bits) % header_.l2_entries();
  const Moved moved = file.Write({table.value() + index * words * 8}, bytes.data(), bytes.size(), {});
  for (size_t i = 0; i < entries.size(); i++) {
    const uint64_t cluster = (at >> header_.cluster_bits) + i;
    Piece* const piece = Find(cluster / piece_entries_);
    if (piece == nullptr) continue;
    if (!moved.status.ok()) {
      // What the file has now is read again.
      by_number_.erase(piece->number);
      continue;
    }
    const auto word = static_cast<size_t>(cluster % piece_entries_) * words;
    piece->words[word] = entries[i].word;
    if (words == 2) piece->words[word + 1] = entries[i].bitmap;
  }
  return moved.status;
}

}  // namespace blk
