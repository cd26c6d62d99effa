#include "core/host/mapping.h"

#include <utility>

namespace blk {

Result<Mapping> Mapping::Create(HostIo& host, int fd, HostOffset offset, size_t size, MapMode mode) {
  void* address = nullptr;
  const int rc = host.Mmap(fd, offset.value, size, mode, &address);
  if (rc < 0) return Status{-rc, Op::kMmap};
  GuardSlot* guard = GuardMapping(address, size);
  Mapping mapping(host, static_cast<uint8_t*>(address), size, guard);
  // Unguarded, a bad page would end the process: better no mapping at all.
  if (guard == nullptr) return Status{ENOMEM, Op::kMmap};
  return mapping;
}

Mapping::Mapping(Mapping&& other) noexcept
    : host_(other.host_),
      data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      guard_(std::exchange(other.guard_, nullptr)) {}

Mapping& Mapping::operator=(Mapping&& other) noexcept {
  if (this != &other) {
    static_cast<void>(Unmap());  // whoever wants the errno calls Unmap() first
    host_ = other.host_;
    data_ = std::exchange(other.data_, nullptr);
    size_ = std::exchange(other.size_, 0);
    guard_ = std::exchange(other.guard_, nullptr);
  }
  return *this;
}

// munmap(2) of a whole mapping loses nothing: stores are in the page cache, and flush reports on those.
Mapping::~Mapping() { static_cast<void>(Unmap()); }

Status Mapping::Sync(size_t at, size_t size) const {
  const size_t start = AlignDown(at, PageSize());
  const int rc = host_->Msync(data_ + start, size + (at - start));
  return rc < 0 ? Status{-rc, Op::kMsync} : Status::Ok();
}

Status Mapping::Unmap() {
  if (data_ == nullptr) return Status::Ok();
  if (guard_ != nullptr) UnguardMapping(std::exchange(guard_, nullptr));
  const int rc = host_->Munmap(std::exchange(data_, nullptr), std::exchange(size_, 0));
  return rc < 0 ? Status{-rc, Op::kMunmap} : Status::Ok();
}

}  // namespace blk
