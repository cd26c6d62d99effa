// ExtentCache: what a server has said of which parts of an export are holes, until this side changes them. What was
// asked while something changed is not kept: nobody knows which of the two came first. Thread-safe. Lock order: mu_ is
// a leaf.
#ifndef RUMPBLK_CORE_NBD_EXTENT_CACHE_H_
#define RUMPBLK_CORE_NBD_EXTENT_CACHE_H_

#include <cstdint>
#include <map>
#include <optional>

#include "core/base/sync.h"
#include "core/medium/extent.h"

namespace blk::nbd {

class ExtentCache {
 public:
  static constexpr size_t kMost = 65536;  // stretches

  struct Stretch {
    uint64_t end = 0;
    ExtentType type = ExtentType::kData;
  };

  // Bracket a change of [begin, end). Nothing that is kept between them tells of it.
  void BeginChange(uint64_t begin, uint64_t end) EXCLUDES(mu_);
  void EndChange(uint64_t begin, uint64_t end) EXCLUDES(mu_);

  // To be given to Keep() with what was asked after it.
  uint64_t Now() const EXCLUDES(mu_);
  // Keeps what the server has said of [begin, end), unless something has changed since. Where there is no memory for it
  // nothing is kept.
  void Keep(uint64_t begin, uint64_t end, ExtentType type, uint64_t since) EXCLUDES(mu_);
  // What `at` lies in; nothing where that is not known.
  std::optional<Stretch> At(uint64_t at) const EXCLUDES(mu_);
  // Forgets all of it, and what was asked before.
  void Clear() EXCLUDES(mu_);

 private:
  void Forget(uint64_t begin, uint64_t end) REQUIRES(mu_);

  mutable Mutex mu_;
  std::map<uint64_t, Stretch> stretches_ GUARDED_BY(mu_);  // by begin; they do not meet
  uint64_t changes_ GUARDED_BY(mu_) = 0;
  uint64_t changing_ GUARDED_BY(mu_) = 0;
};

}  // namespace blk::nbd

#endif  // RUMPBLK_CORE_NBD_EXTENT_CACHE_H_
