#include "core/image/qcow2_bitmap_header.h"

#include <algorithm>

#include "core/base/byte_order.h"

namespace blk {
namespace {

constexpr uint64_t kMostHeaderBytes = 64 * 1024;
constexpr uint64_t kSector = 512;
constexpr uint64_t kBackingOffsetField = 8, kBackingSizeField = 16, kLengthField = 100;

Status NoRoom() { return {ENOSPC, Op::kPwrite, Why::kBitmapRoom}; }

Status WriteLong(Channel& file, uint64_t at, uint64_t value) {
  uint8_t bytes[8];
  Store<uint64_t>(bytes, value, ByteOrder::kBig);
  return file.Write({at}, bytes, sizeof bytes, {}).status;
}

}  // namespace

Result<Qcow2BitmapHeader> Qcow2BitmapHeader::Read(Medium& file, const Qcow2Header& header) {
  Qcow2BitmapHeader found;
  if (header.version < 3) return found;
  const Result<uint64_t> size = file.SizeNow();
  if (!size.ok()) return size.status();
  found.room_ = std::min(header.cluster_size(), kMostHeaderBytes);
  std::vector<uint8_t> bytes(static_cast<size_t>(found.room_));
  const Status read = file.Read({0}, bytes.data(), static_cast<size_t>(std::min(found.room_, size.value())));
  if (!read.ok()) return read;
  const auto word = [&](uint64_t at) { return Load<uint32_t>(&bytes[static_cast<size_t>(at)], ByteOrder::kBig); };
  const auto number = [&](uint64_t at) { return Load<uint64_t>(&bytes[static_cast<size_t>(at)], ByteOrder::kBig); };
  found.autoclear_ = number(kQcow2AutoclearField);
  const uint64_t length = word(kLengthField), backing = number(kBackingOffsetField);
  if (length > found.room_) return found;
  if (backing != 0 && backing <= found.room_ && word(kBackingSizeField) <= found.room_ - backing) {
    found.backing_ = backing;
    const auto begin = bytes.begin() + static_cast<ptrdiff_t>(backing);
    found.name_.assign(begin, begin + word(kBackingSizeField));
  }
  const uint64_t limit = found.backing_ > length ? found.backing_ : found.room_;
  for (uint64_t at = length; at + 8 <= limit;) {
    const uint32_t type = word(at), bytes_of = word(at + 4);
    if (type == kExtensionEnd) {
      found.end_ = at;
      break;
    }
    if (bytes_of > limit - at - 8) break;
    if (type == kExtensionBitmaps && bytes_of == kFieldsBytes) {
      found.extension_ = at;
      found.place_ = {word(at + 8), number(at + 16), number(at + 24)};
      found.has_place_ = true;
    }
    at += 8 + AlignUp(bytes_of, 8);
  }
  return found;
}

std::optional<Qcow2BitmapPlace> Qcow2BitmapHeader::place() const {
  if (!has_place_ || (autoclear_ & kAutoclearBitmaps) == 0) return std::nullopt;
  return place_;
}

Status Qcow2BitmapHeader::SetAutoclear(Channel& file, uint64_t value) {
  if (value == autoclear_) return Status::Ok();
  const Status written = WriteLong(file, kQcow2AutoclearField, value);
  if (written.ok()) autoclear_ = value;
  return written;
}

Status Qcow2BitmapHeader::SetPlace(Channel& file, const Qcow2BitmapPlace& place) {
  std::vector<uint8_t> fields(kFieldsBytes);
  Store<uint32_t>(&fields[0], place.count, ByteOrder::kBig);
  Store<uint64_t>(&fields[8], place.size, ByteOrder::kBig);
  Store<uint64_t>(&fields[16], place.offset, ByteOrder::kBig);
  Status status = file.Sync();
  if (status.ok() && extension_ == 0) {
    status = Insert(file, fields);
  } else if (status.ok()) {
    const uint64_t at = extension_ + 8;
    if (at / kSector != (at + kFieldsBytes - 1) / kSector && (autoclear_ & kAutoclearBitmaps) != 0) {
      // Two sectors may be written one without the other: meanwhile nobody looks at them.
      status = SetAutoclear(file, autoclear_ & ~kAutoclearBitmaps);
      if (status.ok()) status = file.Sync();
    }
    if (status.ok()) status = file.Write({at}, fields.data(), fields.size(), {}).status;
    if (status.ok()) status = file.Sync();
  }
  if (!status.ok()) return status;
  place_ = place;
  has_place_ = true;
  if ((autoclear_ & kAutoclearBitmaps) != 0) return status;
  status = SetAutoclear(file, autoclear_ | kAutoclearBitmaps);
  return status.ok() ? file.Sync() : status;
}

std::optional<uint64_t> Qcow2BitmapHeader::BackingBeside(uint64_t begin, uint64_t end) const {
  const uint64_t name_end = backing_ + name_.size();
  if (backing_ == 0 || name_end <= begin || backing_ >= end) return backing_;
  const uint64_t to = AlignUp(std::max(end, name_end), 8);
  if (to > room_ || name_.size() > room_ - to) return std::nullopt;
  return to;
}

Status Qcow2BitmapHeader::CheckRoom() const {
  if (extension_ != 0) return Status::Ok();
  const uint64_t end = end_ + kExtensionBytes + 8;
  if (end_ == 0 || end_ % 8 != 0 || end > room_ || !BackingBeside(end_, end)) return NoRoom();
  return Status::Ok();
}

Status Qcow2BitmapHeader::MoveBacking(Channel& file, uint64_t begin, uint64_t end) {
  const std::optional<uint64_t> place = BackingBeside(begin, end);
  if (!place) return NoRoom();
  const uint64_t to = *place;
  if (to == backing_) return Status::Ok();
  Status status = file.Write({to}, name_.data(), name_.size(), {}).status;
  if (status.ok()) status = file.Sync();
  if (status.ok()) status = WriteLong(file, kBackingOffsetField, to);
  if (status.ok()) status = file.Sync();
  if (status.ok()) backing_ = to;
  return status;
}

// The extension goes where the extensions end. Its fields and the new end are there before its first 8 bytes take the
// place of the old one.
Status Qcow2BitmapHeader::Insert(Channel& file, const std::vector<uint8_t>& fields) {
  Status status = CheckRoom();
  if (status.ok()) status = MoveBacking(file, end_, end_ + kExtensionBytes + 8);
  std::vector<uint8_t> bytes = fields;
  bytes.resize(kFieldsBytes + 8);
  if (status.ok()) status = file.Write({end_ + 8}, bytes.data(), bytes.size(), {}).status;
  if (status.ok()) status = file.Sync();
  if (status.ok()) status = WriteLong(file, end_, uint64_t{kExtensionBitmaps} << 32 | kFieldsBytes);
  if (status.ok()) status = file.Sync();
  if (!status.ok()) return status;
  extension_ = end_;
  end_ += kExtensionBytes;
  return status;
}

Status Qcow2BitmapHeader::Drop(Channel& file) {
  Status status = SetAutoclear(file, autoclear_ & ~kAutoclearBitmaps);
  if (status.ok()) status = file.Sync();
  // Where others follow it stays, and says nothing.
  if (!status.ok() || extension_ == 0 || extension_ + kExtensionBytes != end_) return status;
  status = WriteLong(file, extension_, kExtensionEnd);
  if (status.ok()) status = file.Sync();
  if (!status.ok()) return status;
  end_ = std::exchange(extension_, 0);
  has_place_ = false;
  return status;
}

}  // namespace blk
