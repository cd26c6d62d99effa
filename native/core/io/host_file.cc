#include "core/io/host_file.h"

namespace blk {

bool HostFile::FitsDirect(const void* data, size_t size, uint64_t offset) const {
  if (direct_fd < 0 || alignment.offset == 0 || alignment.memory == 0) return false;
  return offset % alignment.offset == 0 && size % alignment.offset == 0 &&
         reinterpret_cast<uintptr_t>(data) % alignment.memory == 0;
}

Moved HostFile::ReadAll(void* data, size_t size, HostOffset offset, const std::atomic<bool>* cancel) const {
  uint8_t* to = static_cast<uint8_t*>(data);
  return MoveAll(Op::kPread, size, cancel, [&](size_t done, size_t n) {
    const uint64_t at = offset.value + done;
    if (FitsDirect(to + done, n, at)) {
      const int64_t rc = host->Pread(direct_fd, to + done, n, at);
      if (rc != -EINVAL) return rc;
    }
    return host->Pread(fd, to + done, n, at);
  });
}

Moved HostFile::WriteAll(const void* data, size_t size, HostOffset offset, const std::atomic<bool>* cancel) const {
  const uint8_t* from = static_cast<const uint8_t*>(data);
  return MoveAll(Op::kPwrite, size, cancel, [&](size_t done, size_t n) {
    const uint64_t at = offset.value + done;
    if (FitsDirect(from + done, n, at)) {
      const int64_t rc = host->Pwrite(direct_fd, from + done, n, at);
      if (rc != -EINVAL) return rc;
    }
    return host->Pwrite(fd, from + done, n, at);
  });
}

Status HostFile::Sync() const {
  int rc;
  do {
    rc = host->Fdatasync(fd);
  } while (rc == -EINTR);
  if (rc == 0 || (character && rc == -EINVAL)) return Status::Ok();
  return {-rc, Op::kFdatasync};
}

}  // namespace blk
