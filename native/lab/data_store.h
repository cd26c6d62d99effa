// DataStore: bytes that were recorded: in memory up to a bound, then in a file without a name. What is kept stays where
// it is, and costs no allocation of its own. Thread-safe. Lock order: mu_ is a leaf.
#ifndef RUMPBLK_LAB_DATA_STORE_H_
#define RUMPBLK_LAB_DATA_STORE_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/base/status.h"
#include "core/base/sync.h"
#include "core/host/anonymous_memory.h"
#include "core/host/host_io.h"
#include "core/host/mapping.h"
#include "core/host/unique_fd.h"

namespace blk::lab {

class DataStore {
 public:
  // At most `memory` bytes, or a chunk, are in memory; then `folder` has a file. `host` outlives this object.
  DataStore(HostIo& host, uint64_t memory, std::string folder)
      : host_(host), memory_(memory), folder_(std::move(folder)) {}

  // Copies `size` bytes. -> where they are, for as long as this object lives, to be read.
  // Errors: ENOMEM · ENOSPC, and what else the folder says.   Thread: any.
  Result<const uint8_t*> Keep(const void* data, size_t size) EXCLUDES(mu_);

  uint64_t bytes() const EXCLUDES(mu_) {
    MutexLock lock(mu_);
    return kept_;
  }
  // Of them, those in the file.
  uint64_t spilled() const EXCLUDES(mu_) {
    MutexLock lock(mu_);
    return spilled_;
  }

 private:
  // Where bytes are to be put: memory, or a place in the file.
  struct Room {
    uint8_t* memory = nullptr;
    const uint8_t* mapped = nullptr;
    uint64_t at = 0;
  };

  Result<Room> Reserve(size_t size) REQUIRES(mu_);
  Status AddMemory(size_t size) REQUIRES(mu_);
  Status AddFile(size_t size) REQUIRES(mu_);

  HostIo& host_;
  const uint64_t memory_;
  const std::string folder_;

  mutable Mutex mu_;
  std::vector<AnonymousMemory> chunks_ GUARDED_BY(mu_);
  std::vector<Mapping> maps_ GUARDED_BY(mu_);
  UniqueFd fd_ GUARDED_BY(mu_);
  uint64_t file_size_ GUARDED_BY(mu_) = 0;
  uint64_t held_ GUARDED_BY(mu_) = 0;  // bytes of chunks_
  // The chunk that is being filled.
  Room next_ GUARDED_BY(mu_);
  size_t left_ GUARDED_BY(mu_) = 0;
  uint64_t kept_ GUARDED_BY(mu_) = 0;
  uint64_t spilled_ GUARDED_BY(mu_) = 0;
};

}  // namespace blk::lab

#endif  // RUMPBLK_LAB_DATA_STORE_H_
