// NbdChannel: one open's way to an export: its moves are started and answered by the client's threads. Thread-safe.
#ifndef RUMPBLK_CORE_NBD_NBD_CHANNEL_H_
#define RUMPBLK_CORE_NBD_NBD_CHANNEL_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

#include "core/medium/channel.h"
#include "core/medium/start_and_wait.h"
#include "core/nbd/nbd_disk.h"

namespace blk::nbd {

class NbdChannel final : public Channel {
 public:
  // `told`: what the medium of the channel was told of, for Client::StartSync(). Throws std::bad_alloc.
  NbdChannel(std::shared_ptr<NbdDisk> disk, std::shared_ptr<std::atomic<uint64_t>> told)
      : disk_(std::move(disk)), told_(std::move(told)), spare_(new ChannelSync()) {}
  ~NbdChannel() override { delete spare_.load(); }

  Moved Read(MediumOffset at, void* data, size_t size, const PieceRules& rules) override;
  Moved Write(MediumOffset at, const void* data, size_t size, const PieceRules& rules) override;
  Status Sync() override { return SyncAndWait(*this); }
  Moved Discard(MediumOffset at, uint64_t size, const PieceRules& rules) override;
  Moved Zero(MediumOffset at, uint64_t size, const PieceRules& rules) override;
  void Prefetch(MediumOffset at, uint64_t size) noexcept override;
  bool starts(StartedMove::Kind) const override { return true; }
  void Start(StartedMove& move) override;
  void Kick() override { client().Kick(); }
  MediumFeatures Features() override;
  bool durable_writes() const override { return facts().Has(kSendFua); }
  Result<size_t> Extents(MediumSpan within, ExtentLayer layer, std::span<MediumExtent> found,
                         const PieceRules& rules) override;

 private:
  // A sync under way.
  struct ChannelSync : SyncRequest {
    NbdChannel* channel = nullptr;
    StartedMove* move = nullptr;
  };

  Client& client() const { return *disk_->client; }
  const ExportFacts& facts() const { return client().facts(); }
  // A read or a write.
  void StartTransfer(StartedMove& move);
  void StartSync(StartedMove& move);

  const std::shared_ptr<NbdDisk> disk_;
  const std::shared_ptr<std::atomic<uint64_t>> told_;
  // For the next sync, so that none fails for want of memory where one is under way at a time; null while it is in use.
  std::atomic<ChannelSync*> spare_;
};

}  // namespace blk::nbd

#endif  // RUMPBLK_CORE_NBD_NBD_CHANNEL_H_
