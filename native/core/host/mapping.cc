#include "core/host/mapping.h"

#include <utility>

#include "core/host/transfer_loop.h"

namespace blk {

Result<Mapping> Mapping::Create(HostIo& host, int fd, MediumOffset offset, size_t size, MapMode mode) {
  void* address = nullptr;
  const int rc = host.Mmap(fd, offset.value, size, mode, &address);
  if (rc < 0) return Status{-rc, Op::kMmap};
  // An owner before anything else can fail: it unmaps if the watch could not be had.
  Mapping mapping(host, static_cast<uint8_t*>(address), size, PageWatch::OverMapping(address, size));
  // Unwatched, a bad page would end the process: better no mapping at all.
  if (!mapping.watch_.valid()) return Status{ENOMEM, Op::kMmap};
  return mapping;
}

Mapping::Mapping(Mapping&& other) noexcept
    : host_(other.host_),
      data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      watch_(std::move(other.watch_)) {}

Mapping& Mapping::operator=(Mapping&& other) noexcept {
  if (this != &other) {
    static_cast<void>(Unmap());  // whoever wants the errno calls Unmap() first
    host_ = other.host_;
    data_ = std::exchange(other.data_, nullptr);
    size_ = std::exchange(other.size_, 0);
    watch_ = std::move(other.watch_);
  }
  return *this;
}

// munmap(2) of a whole mapping loses nothing: stores are in the page cache, and flush reports on those.
Mapping::~Mapping() { static_cast<void>(Unmap()); }

Status Mapping::Sync(size_t at, size_t size) const {
  const size_t start = AlignDown(at, PageSize());
  const int rc = Uninterrupted([&] { return host_->Msync(data_ + start, size + (at - start)); });
  if (rc < 0) return {-rc, Op::kMsync};
  // Asked after msync, so that a page substituted while it ran counts too.
  return poisoned() ? Status{EIO, Op::kMsync} : Status::Ok();
}

void Mapping::Advise(size_t at, size_t size, Advice advice) const {
  const size_t start = AlignDown(at, PageSize());
  static_cast<void>(host_->Advise(data_ + start, size + (at - start), advice));  // a host that cannot reads more
}

Status Mapping::Unmap() {
  if (data_ == nullptr) return Status::Ok();
  // First: once unmapped, the addresses may be somebody else's, whose faults are none of ours.
  watch_.Stop();
  const int rc = host_->Munmap(std::exchange(data_, nullptr), std::exchange(size_, 0));
  return rc < 0 ? Status{-rc, Op::kMunmap} : Status::Ok();
}

}  // namespace blk
