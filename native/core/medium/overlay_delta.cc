#include "core/medium/overlay_delta.h"

#include <utility>

#include "core/host/transfer_loop.h"
#include "core/medium/host_channel.h"
#include "core/medium/memory_medium.h"

namespace blk {

OverlayDelta::OverlayDelta(HostIo& host, const std::string& folder, UniqueFd fd) : folder_(folder), fd_(std::move(fd)) {
  holes_.emplace(host, folder_, false);
  HostFile file;
  file.host = &host;
  file.fd = fd_.get();
  channel_ = std::make_unique<HostChannel>(file, true, &*holes_);
}

Result<std::unique_ptr<OverlayDelta>> OverlayDelta::Create(const DeltaKind& kind, uint64_t size) {
  if (kind.host == nullptr) {
    auto store = MemoryMedium::CreateStore(size, "", kDevBsize);
    if (!store.ok()) return store.status();
    // Its channel keeps the bytes.
    auto channel = MemoryMedium(store.Take()).Attach({});
    if (!channel.ok()) return channel.status();
    return std::unique_ptr<OverlayDelta>(new OverlayDelta(channel.Take()));
  }
  int rc = Uninterrupted([&] { return kind.host->OpenUnnamed(kind.folder); });
  if (rc < 0) return Status{-rc, Op::kOpen};
  UniqueFd fd(*kind.host, rc);
  rc = Uninterrupted([&] { return kind.host->Resize(fd.get(), size); });
  if (rc < 0) return Status{-rc, Op::kOpen};
  return std::unique_ptr<OverlayDelta>(new OverlayDelta(*kind.host, kind.folder, std::move(fd)));
}

void OverlayDelta::Free(MediumSpan span) const {
  if (span.empty()) return;
  // No more than room: what cannot be freed is written over, or goes with the delta.
  static_cast<void>(channel_->Discard(span.begin, span.end.value - span.begin.value, {}));
}

}  // namespace blk
