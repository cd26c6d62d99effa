#include "core/device/minor.h"

#include <algorithm>
#include <utility>

#include "core/host/transfer_loop.h"

namespace blk {

// ---- registration

Minor::Minor(HostIo& host, std::string path, UniqueFd fd, const FileInfo& info)
    : host_(host),
      path_(std::move(path)),
      type_(info.type),
      identity_device_(info.device),
      identity_inode_(info.inode),
      read_fd_(std::move(fd)) {}

Result<std::shared_ptr<Minor>> Minor::Create(HostIo& host, const std::string& path, const HostRange& range) {
  FileInfo info;
  // Looked at by path first: opening a pipe would wake its other end, or wait for one. Looked at again once it is open,
  // since the path may name something else by then.
  int rc = Uninterrupted([&] { return host.StatPath(path, &info); });
  if (rc < 0) return Status{-rc, Op::kStat};
  if (info.type == FileType::kOther) return Status{EINVAL, Op::kRegister};
  // Read-only: that fixes which file it is and needs no right to write, which only an 'r+' open asks for.
  rc = Uninterrupted([&] { return host.Open(path, {}); });
  if (rc < 0) return Status{-rc, Op::kOpen};
  UniqueFd fd(host, rc);
  rc = Uninterrupted([&] { return host.Stat(fd.get(), &info); });
  if (rc < 0) return Status{-rc, Op::kStat};
  if (info.type == FileType::kOther) return Status{EINVAL, Op::kRegister};

  uint64_t file_size = info.size;
  bool size_untold = false;
  if (info.type == FileType::kRegular && info.size == 0) {
    rc = host.HasContent(fd.get());
    if (rc < 0) return Status{-rc, Op::kStat};
    size_untold = rc != 0;
  }
  if (info.type != FileType::kRegular) {
    const int64_t node_size = Uninterrupted([&] { return host.NodeSize(fd.get(), info.type); });
    if (node_size == -ESPIPE) return Status{EINVAL, Op::kRegister};  // cannot seek: not a disk
    if (node_size < 0) return Status{static_cast<int>(-node_size), Op::kStat};
    file_size = static_cast<uint64_t>(node_size);
    // One that says 0 may be one that does not tell, as many character nodes.
    size_untold = file_size == 0;
  }
  std::shared_ptr<Minor> minor(new Minor(host, path, std::move(fd), info));
  Status status = minor->SetRange(range, file_size, size_untold);
  if (!status.ok()) return status;
  return minor;
}

Status Minor::SetRange(const HostRange& range, uint64_t file_size, bool size_untold) {
  size_told_ = !size_untold;
  if (size_untold) {
    // Then the caller's word counts.
    if (!range.size) return {EINVAL, Op::kRegister};
    const auto end = CheckedAdd(range.offset, *range.size);
    if (!end || *end > kMaxSafeInteger) return {EOVERFLOW, Op::kRegister};
    file_size = *end;
  }
  if (range.offset > file_size) return {EINVAL, Op::kRegister};
  // By subtraction, which cannot wrap (B22).
  const uint64_t rest = file_size - range.offset;
  if (range.size && *range.size > rest) return {EINVAL, Op::kRegister};
  offset_ = range.offset;
  size_ = range.size.value_or(rest);
  if (offset_ + size_ > kMaxSafeInteger) return {EOVERFLOW, Op::kRegister};
  sector_size_ = range.sector_size;
  label_ = DefaultLabel(size_, 0);
  return Status::Ok();
}

bool Minor::SameAs(const Minor& other) const {
  // The name as well: two entries of a table may say the same range.
  if (disk_ != other.disk_ || spot_.name != other.spot_.name) return false;
  return type_ == other.type_ && identity_device_ == other.identity_device_ &&
         identity_inode_ == other.identity_inode_ && offset_ == other.offset_ && size_ == other.size_ &&
         sector_size_ == other.sector_size_;
}

void Minor::SetIndex(int index) {
  index_ = index;
  // The minor is a partition of the default label, as in the seed: its number modulo 16 (B12).
  label_ = DefaultLabel(size_, static_cast<uint32_t>(index) % kMaxPartitions);
}

Status Minor::Retire() {
  // Acquire, with the release in Leave(): all that the last user did is over before the file is closed.
  uint64_t none = 0;
  if (!uses_.compare_exchange_strong(none, kRetired, std::memory_order_acq_rel)) {
    return {none == kRetired ? ENXIO : EBUSY, Op::kDeregister};
  }
  if (disk_) return LeaveDisk(), Status::Ok();
  // Now, not when the last reference goes: objects of closed devices may hold one for long.
  return read_fd_.Close();
}

Status Minor::CheckHostSize() {
  if (type_ != FileType::kRegular || !size_told()) return Status::Ok();
  FileInfo info;
  // read_fd_ needs no lock here: an open bars Retire(), the only one who closes it.
  const int rc = Uninterrupted([&] { return host_.Stat(disk().read_fd_.get(), &info); });
  if (rc < 0) return {-rc, Op::kStat};
  const HostOffset end{offset_ + size_};
  if (info.size >= end.value) return Status::Ok();
  flush().NoteLoss({{std::max(info.size, offset_)}, end});
  return {EIO, Op::kFlush};
}

uint64_t Minor::MediumSectorSize() const {
  if (disk().sector_size_ != 0) return disk().sector_size_;
  DirectAlignment alignment;
  if (type_ != FileType::kBlock || host_.AlignmentForDirect(disk().read_fd_.get(), &alignment) < 0) return kDevBsize;
  return IsSectorSize(alignment.offset) ? alignment.offset : kDevBsize;
}

Status Minor::ReadHost(uint64_t position, uint8_t* data, size_t size) const {
  HostFile file;
  file.host = &host_;
  file.fd = disk().read_fd_.get();
  return file.ReadAll(data, size, {offset_ + position}, nullptr).status;
}

}  // namespace blk
