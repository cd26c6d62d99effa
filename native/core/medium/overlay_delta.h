// OverlayDelta: where a layer of an overlay keeps the blocks that were written to it, each at the place that it has on
// the disk: memory, or a file without a name. Sparse: it costs what was written. Gone with its owner. Thread-safe.
// Why the same place: nothing has to be allocated or looked up, and what lies side by side on the disk does so here.
#ifndef RUMPBLK_CORE_MEDIUM_OVERLAY_DELTA_H_
#define RUMPBLK_CORE_MEDIUM_OVERLAY_DELTA_H_

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "core/base/status.h"
#include "core/host/host_io.h"
#include "core/host/unique_fd.h"
#include "core/medium/channel.h"
#include "core/medium/host_holes.h"

namespace blk {

// Makes the deltas of one overlay, which are all of one kind.
struct DeltaKind {
  HostIo* host = nullptr;  // outlives them; null: memory
  std::string folder;      // of files without a name
};

class OverlayDelta {
 public:
  // `size` bytes of zeros. Errors: ENOMEM · of files: EFBIG, ENOSPC, EMFILE, ENOENT, EACCES and open(2)'s others.
  static Result<std::unique_ptr<OverlayDelta>> Create(const DeltaKind& kind, uint64_t size);

  Channel& channel() const { return *channel_; }
  // Gives back the room of these bytes, where the host can; what they read as afterwards is not said.
  void Free(MediumSpan span) const;

 private:
  // In memory.
  explicit OverlayDelta(std::unique_ptr<Channel> channel) : channel_(std::move(channel)) {}
  // In a file.
  OverlayDelta(HostIo& host, const std::string& folder, UniqueFd fd);

  // Of a file.
  const std::string folder_;
  const UniqueFd fd_;
  std::optional<HostHoles> holes_;

  std::unique_ptr<Channel> channel_;
};

}  // namespace blk

#endif  // RUMPBLK_CORE_MEDIUM_OVERLAY_DELTA_H_
