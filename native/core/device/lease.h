// Lease: bytes of a device lent to its caller as memory. On an 'r+' device it pins the window that holds them: stores
// reach the file and are dirty until a flush that starts after the release. On an 'r' device it is a private mapping of
// its own: stores stay in it.
// Move-only in the hands of one owner; release on any thread. The device outlives its leases.
#ifndef RUMPBLK_CORE_DEVICE_LEASE_H_
#define RUMPBLK_CORE_DEVICE_LEASE_H_

#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "core/host/mapping.h"
#include "core/io/flush_state.h"
#include "core/window/window.h"

namespace blk {

class Lease {
 public:
  // Of a pinned window; `unpin` is told when it is released.
  Lease(WindowRef window, HostOffset at, size_t size, FlushState& flush, std::function<void()> unpin)
      : data_(window.At(at)), size_(size), window_(std::move(window)), flush_(&flush), unpin_(std::move(unpin)) {
    flush_->BeginStores();
  }
  // Of a shared mapping of its own, from byte `skip` of it on: where the window's place is taken.
  Lease(Mapping mapping, size_t skip, size_t size, FlushState& flush, std::function<void()> unpin)
      : data_(mapping.data() + skip),
        size_(size),
        mapping_(std::move(mapping)),
        flush_(&flush),
        unpin_(std::move(unpin)) {
    flush_->BeginStores();
  }
  // Of a private mapping, from byte `skip` of it on.
  Lease(Mapping mapping, size_t skip, size_t size)
      : data_(mapping.data() + skip), size_(size), mapping_(std::move(mapping)) {}
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;
  ~Lease() { static_cast<void>(Release()); }

  uint8_t* data() const { return data_; }
  size_t size() const { return size_; }

  // Gives the bytes back. Idempotent. REQUIRES: nothing touches them any more.
  // Errors: EIO the host could not give a page of them, so that what was read were zeros and what was stored is lost ·
  // munmap's.
  Status Release();

 private:
  uint8_t* data_;
  const size_t size_;
  std::optional<WindowRef> window_;
  Mapping mapping_;
  FlushState* flush_ = nullptr;
  std::function<void()> unpin_;
};

}  // namespace blk

#endif  // RUMPBLK_CORE_DEVICE_LEASE_H_
