// HostHoles: makes and finds the holes of a host file or a block node: discards, zeros without writing them, and where
// data lies. Remembers what its file system refuses, so that it is asked once. One for a medium, shared by its
// channels.
// Thread-safe. Lock order: walk_mu_ is a leaf, held across the system calls of a walk.
// Why not FIEMAP: it calls a page that is dirty in the page cache unwritten, on ext4 and xfs; a copy by it loses data.
#ifndef RUMPBLK_CORE_MEDIUM_HOST_HOLES_H_
#define RUMPBLK_CORE_MEDIUM_HOST_HOLES_H_

#include <atomic>
#include <span>
#include <string>

#include "core/base/moved.h"
#include "core/base/status.h"
#include "core/base/sync.h"
#include "core/host/unique_fd.h"
#include "core/medium/channel.h"
#include "core/medium/host_file.h"

namespace blk {

class HostHoles {
 public:
  // `path` names the file for Reopen(). Both outlive this object.
  HostHoles(HostIo& host, const std::string& path, bool is_node) : host_(host), path_(path), is_node_(is_node) {}

  // What Channel::Discard() says, of the whole granules in the range.
  Moved Discard(const HostFile& file, MediumOffset at, uint64_t size, const PieceRules& rules);

  // What the file system or the node can do of this, and has not refused.
  MediumFeatures Features(const HostFile& file);

  // What of [at, at + size) Zero() takes: all of it of a file, the whole sectors of a node.
  MediumSpan ZeroSpan(const HostFile& file, MediumOffset at, uint64_t size);
  // Makes `span` zeros by the host's own calls, without writing any. Below kWorthZeroing, and with the room kept,
  // writing is faster: then nothing is done, unless it has to be `fast`.
  // Errors: EOPNOTSUPP what has not moved is left to be written · EIO the file ends before · the host's · ECANCELED.
  // REQUIRES: `span` is one of ZeroSpan(), and not empty.
  Moved Zero(const HostFile& file, MediumSpan span, const PieceRules& rules);

  // What Channel::Extents() says: by SEEK_DATA and SEEK_HOLE, on a descriptor of its own, since they move the offset.
  Result<size_t> Extents(const HostFile& file, MediumSpan within, std::span<MediumExtent> found,
                         const PieceRules& rules) EXCLUDES(walk_mu_);

  // Closes the descriptor of the walks; the next one opens it again. Errors: close(2)'s.
  Status Close() EXCLUDES(walk_mu_);

  static constexpr uint64_t kWorthZeroing = 64 * 1024;
  // Bytes of one call, between two looks at a cancel flag. The host is slow to free much at once: some 70 ms.
  static constexpr uint64_t kStep = 64 << 20;

 private:
  // What a host may refuse, as bits of refused_.
  enum Way : uint8_t { kPunch = 1, kZeroRange = 2, kNodeDiscard = 4, kNodeZero = 8, kSeek = 16 };

  int Ask(Way way, const HostFile& file, uint64_t offset, uint64_t size);
  bool Refused(Way way) const { return (refused_.load(std::memory_order_relaxed) & way) != 0; }
  void Remember(Way way) { refused_.fetch_or(way, std::memory_order_relaxed); }
  // By one way from span.begin on. -> EOPNOTSUPP when it is refused.
  Moved ZeroBy(Way way, const HostFile& file, MediumSpan span, const PieceRules& rules);
  uint64_t GranuleOf(const HostFile& file);
  uint64_t SectorOf(const HostFile& file);
  // Lists `within` from its start on, until it ends, `found` is full or the call is off.
  size_t Walk(int fd, MediumSpan within, std::span<MediumExtent> found, const PieceRules& rules) REQUIRES(walk_mu_);
  // Where the file ends, or 0.
  uint64_t FileEnd(int fd);

  HostIo& host_;
  const std::string& path_;
  const bool is_node_;
  std::atomic<uint8_t> refused_{0};
  // Asked for with the first call that needs them; 0 until then. Several threads may ask, and hear the same.
  std::atomic<uint64_t> granule_{0};
  std::atomic<uint64_t> sector_{0};

  Mutex walk_mu_;
  UniqueFd walk_fd_ GUARDED_BY(walk_mu_);
};

}  // namespace blk

#endif  // RUMPBLK_CORE_MEDIUM_HOST_HOLES_H_
