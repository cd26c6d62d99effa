// UniqueFd: sole owner of a host descriptor. Closes it when it goes; Close() does so early and reports the errno.
// Not thread-safe: one owner at a time.
#ifndef RUMPBLK_CORE_HOST_UNIQUE_FD_H_
#define RUMPBLK_CORE_HOST_UNIQUE_FD_H_

#include <type_traits>
#include <utility>

#include "core/base/status.h"
#include "core/host/host_io.h"

namespace blk {

class UniqueFd {
 public:
  // Owns nothing.
  UniqueFd() = default;
  // Takes over `fd`, an open descriptor of `host`, which outlives this object.
  UniqueFd(HostIo& host, int fd) : host_(&host), fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : host_(other.host_), fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    if (this != &other) {
      DropUnreported();
      host_ = other.host_;
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  UniqueFd(const UniqueFd&) = delete;
  UniqueFd& operator=(const UniqueFd&) = delete;
  ~UniqueFd() { DropUnreported(); }

  // False after Close(), after a move, and for one that owns nothing.
  bool valid() const { return fd_ >= 0; }
  // The descriptor, still owned here; negative when not valid().
  int get() const { return fd_; }

  // Closes now. Idempotent. Errors: EIO and whatever else close(2) reports; the descriptor is gone either way, so it is
  // never closed a second time, which could hit somebody else's (B18).
  Status Close() {
    if (fd_ < 0) return Status::Ok();
    int rc = host_->Close(std::exchange(fd_, -1));
    return rc < 0 ? Status{-rc, Op::kClose} : Status::Ok();
  }

 private:
  // A path that has an error already, or wrote nothing: its caller reports that one, and close(2) cannot lose data
  // that fdatasync has covered.
  void DropUnreported() {
    if (fd_ >= 0) static_cast<void>(host_->Close(fd_));
  }

  HostIo* host_ = nullptr;
  int fd_ = -1;
};
static_assert(!std::is_copy_constructible_v<UniqueFd>);

}  // namespace blk

#endif  // RUMPBLK_CORE_HOST_UNIQUE_FD_H_
