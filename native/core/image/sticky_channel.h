// StickyChannel: a way to the medium of an image, on which a sync that has failed goes on to fail. An image syncs
// inside of its writes, and the host tells an error once, to whoever asks first: a flush behind that must not be told
// that all is well. Over as soon as nobody writes the image any more, as the sticky error of a disk is (flush_state.h).
// Thread-safe.
#ifndef RUMPBLK_CORE_IMAGE_STICKY_CHANNEL_H_
#define RUMPBLK_CORE_IMAGE_STICKY_CHANNEL_H_

#include <memory>
#include <utility>

#include "core/base/sync.h"
#include "core/medium/channel.h"

namespace blk {

class StickyChannel final : public Channel {
 public:
  explicit StickyChannel(std::unique_ptr<Channel> under) : under_(std::move(under)) {}

  Moved Read(MediumOffset at, void* data, size_t size, const PieceRules& rules) override {
    return under_->Read(at, data, size, rules);
  }
  Moved Write(MediumOffset at, const void* data, size_t size, const PieceRules& rules) override {
    return under_->Write(at, data, size, rules);
  }
  Moved Discard(MediumOffset at, uint64_t size, const PieceRules& rules) override {
    return under_->Discard(at, size, rules);
  }
  Moved Zero(MediumOffset at, uint64_t size, const PieceRules& rules) override { return under_->Zero(at, size, rules); }
  MediumSpan NextData(MediumSpan within) override { return under_->NextData(within); }

  // The first failure, once there is one; EINTR is none.
  Status Sync() override EXCLUDES(mu_) {
    const Status synced = under_->Sync();
    MutexLock lock(mu_);
    if (failed_.ok() && !synced.ok() && synced.err != EINTR) failed_ = synced;
    return failed_.ok() ? synced : failed_;
  }

 private:
  const std::unique_ptr<Channel> under_;
  Mutex mu_;
  Status failed_ GUARDED_BY(mu_);
};

}  // namespace blk

#endif  // RUMPBLK_CORE_IMAGE_STICKY_CHANNEL_H_
