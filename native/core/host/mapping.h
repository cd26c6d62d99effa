// Mapping: sole owner of one mapping of the host file, shared or private, and of its place in the page guard.
// Move-only; unmaps when it goes, Unmap() does so early and reports the errno. One owner at a time; its bytes may be
// used from any thread while it lives.
#ifndef RUMPBLK_CORE_HOST_MAPPING_H_
#define RUMPBLK_CORE_HOST_MAPPING_H_

#include <type_traits>
#include <utility>

#include "core/base/status.h"
#include "core/base/units.h"
#include "core/host/host_io.h"
#include "core/host/page_guard.h"

namespace blk {

class Mapping {
 public:
  // Maps [offset, offset + size) of `fd`, which may be closed afterwards; watched by the page guard from the start.
  // `host` outlives it.
  // Units: bytes; offset is a multiple of the page, size is not 0.
  // Errors: ENOMEM (memory, or more mappings than page_guard.h gives out) · EACCES writable on a read-only descriptor ·
  // ENODEV.
  static Result<Mapping> Create(HostIo& host, int fd, MediumOffset offset, size_t size, MapMode mode);

  // Owns nothing.
  Mapping() = default;
  // The bytes stay where they are: pointers into a mapping outlive its moves.
  Mapping(Mapping&& other) noexcept;
  Mapping& operator=(Mapping&& other) noexcept;
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  // Unmaps if need be; the errno has nobody to go to.
  ~Mapping();

  // False after Unmap(), after a move, and for one that owns nothing.
  bool valid() const { return data_ != nullptr; }
  // First byte, and the number of bytes asked for; the page behind the last one is not to be touched.
  uint8_t* data() const { return data_; }
  size_t size() const { return size_; }
  // True once the page guard has put a page of its own into this mapping: what was copied since may be zeros, what was
  // stored since may be lost, and msync of it proves nothing. For good: only a new mapping is sound again.
  bool poisoned() const { return watch_.poisoned(); }

  // Makes [at, at + size) of the mapping durable; the start is rounded down to its page (B32).
  // Errors: EIO, ENOSPC and whatever msync(2) reports · EIO for a mapping that is poisoned: to msync its pages are
  // fine.
  // Thread: any; it waits for the disk.   REQUIRES: the range lies in the mapping, which is valid().
  Status Sync(size_t at, size_t size) const;

  // Says how [at, at + size) of the mapping will be read; the start is rounded down to its page. A hint.
  void Advise(size_t at, size_t size, Advice advice) const;

  // Unmaps now. Idempotent. Errors: what munmap(2) reports; the mapping is given up either way.
  // REQUIRES: nobody uses its bytes any more.
  Status Unmap();

 private:
  Mapping(HostIo& host, uint8_t* data, size_t size, PageWatch watch)
      : host_(&host), data_(data), size_(size), watch_(std::move(watch)) {}

  // Null only for one that owns nothing.
  HostIo* host_ = nullptr;
  uint8_t* data_ = nullptr;
  size_t size_ = 0;
  // Ends before the memory goes: Unmap() stops it first.
  PageWatch watch_;
};
static_assert(!std::is_copy_constructible_v<Mapping>);

}  // namespace blk

#endif  // RUMPBLK_CORE_HOST_MAPPING_H_
