// NbdChannel: one open's way to an export: its moves are started and answered by the client's threads; what moves no
// bytes waits for its answer. Thread-safe.
#ifndef RUMPBLK_CORE_NBD_NBD_CHANNEL_H_
#define RUMPBLK_CORE_NBD_NBD_CHANNEL_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

#include "core/medium/channel.h"
#include "core/nbd/nbd_disk.h"

namespace blk::nbd {

class NbdChannel final : public Channel {
 public:
  // `told`: what the medium of the channel was told of, for Client::Sync().
  NbdChannel(std::shared_ptr<NbdDisk> disk, std::shared_ptr<std::atomic<uint64_t>> told)
      : disk_(std::move(disk)), told_(std::move(told)) {}

  Moved Read(MediumOffset at, void* data, size_t size, const PieceRules& rules) override;
  Moved Write(MediumOffset at, const void* data, size_t size, const PieceRules& rules) override;
  Status Sync() override { return client().Sync(*told_); }
  Moved Discard(MediumOffset at, uint64_t size, const PieceRules& rules) override;
  Moved Zero(MediumOffset at, uint64_t size, const PieceRules& rules) override;
  void Prefetch(MediumOffset at, uint64_t size) noexcept override;
  bool starts() const override { return true; }
  void Start(StartedMove& move) override;
  MediumFeatures Features() override;
  bool durable_writes() const override { return facts().Has(kSendFua); }
  Result<size_t> Extents(MediumSpan within, ExtentLayer layer, std::span<MediumExtent> found,
                         const PieceRules& rules) override;

 private:
  Client& client() const { return *disk_->client; }
  const ExportFacts& facts() const { return client().facts(); }
  // Zeros, or what is not needed, in whole blocks; it waits.
  Moved Range(TransferKind kind, uint64_t begin, uint64_t end, const PieceRules& rules);
  Moved WriteZeros(uint64_t begin, uint64_t end, const PieceRules& rules);

  const std::shared_ptr<NbdDisk> disk_;
  const std::shared_ptr<std::atomic<uint64_t>> told_;
};

}  // namespace blk::nbd

#endif  // RUMPBLK_CORE_NBD_NBD_CHANNEL_H_
