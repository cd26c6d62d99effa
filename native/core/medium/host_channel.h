// HostChannel: the channel of a host file or a node: the descriptors of one open, and the windows over them. Does not
// own the descriptors, which whoever made it keeps open until it has gone. Thread-safe.
#ifndef RUMPBLK_CORE_MEDIUM_HOST_CHANNEL_H_
#define RUMPBLK_CORE_MEDIUM_HOST_CHANNEL_H_

#include <memory>
#include <utility>

#include "core/medium/channel.h"
#include "core/medium/host_file.h"
#include "core/medium/host_holes.h"
#include "core/medium/medium_windows.h"
#include "core/medium/wait_estimate.h"

namespace blk {

class HostChannel final : public Channel, private MediumWindows {
 public:
  // `mappable`: a file whose pages can be had; a node need not be one, and what does not tell its size has none.
  // `holes`: of the same file, and outlives this; null where it can have none. `engine`: null for none.
  explicit HostChannel(const HostFile& file, bool mappable = true, HostHoles* holes = nullptr,
                       std::shared_ptr<HostEngine> engine = nullptr)
      : file_(file), mappable_(mappable), holes_(holes), engine_(std::move(engine)) {}

  Moved Read(MediumOffset at, void* data, size_t size, const PieceRules& rules) override;
  Moved Write(MediumOffset at, const void* data, size_t size, const PieceRules& rules) override;
  Status Sync() override { return file_.Sync(); }
  bool starts(StartedMove::Kind kind) const override {
    return engine_ != nullptr && (kind == StartedMove::Kind::kRead || kind == StartedMove::Kind::kWrite);
  }
  // Reads, and writes past the page cache: those that wait for a disk. A write into the page cache is a copy, for which
  // the kernel would take threads of its own; what goes by way of aligned memory, or has to be durable, is a worker's.
  bool Starts(const StartedMove& move) override;
  bool tells_memory() const override { return true; }
  void Start(StartedMove& move) override;
  // O_DIRECT stays on its own descriptor, which a per-call sync of the other would miss.
  bool durable_writes() const override { return file_.direct_fd < 0; }
  MediumFeatures Features() override;
  Status CheckReaches(MediumOffset end) override { return file_.CheckReaches(end.value); }
  Moved Discard(MediumOffset at, uint64_t size, const PieceRules& rules) override {
    return holes_ == nullptr ? Moved{} : holes_->Discard(file_, at, size, rules);
  }
  Moved Zero(MediumOffset at, uint64_t size, const PieceRules& rules) override;
  Moved Copy(MediumOffset at, uint64_t size, CopySource& source, const PieceRules& rules) override;
  const HostFile* host_file() const override { return &file_; }
  void Prefetch(MediumOffset at, uint64_t size) noexcept override;
  // Where the host cannot tell, as of nodes, all of it is data.
  MediumSpan NextData(MediumSpan within) override;
  Result<size_t> Extents(MediumSpan within, ExtentLayer layer, std::span<MediumExtent> found,
                         const PieceRules& rules) override;
  // What goes by O_DIRECT goes past the pages of a map.
  MediumWindows* windows() override { return mappable_ && file_.direct_fd < 0 ? this : nullptr; }

  const HostFile& file() const { return file_; }
  // Of a node that is held by O_EXCL.   REQUIRES: nobody uses the channel yet.
  void UseExclusive(int fd) { file_.exclusive_fd = fd; }

 private:
  Result<Mapping> Map(MediumOffset at, size_t size, MapMode mode) override;
  Status WhyLost(MediumSpan lost) override { return file_.WhyLost(lost); }
  bool TellsResidency() override { return file_.host->TellsResidency(file_.fd); }
  bool FillsHoles() override { return file_.host->FillsHoles(file_.fd); }
  int Mincore(void* address, size_t size, unsigned char* residency) override {
    return file_.host->Mincore(address, size, residency);
  }
  uint64_t MajorFaults() override { return file_.host->MajorFaults(); }
  int64_t Nanoseconds() override { return file_.host->Nanoseconds(); }
  uint32_t CoarseMilliseconds() override { return file_.host->CoarseMilliseconds(); }

  // As Read() with `nowait`.
  Moved ReadNow(MediumOffset at, void* data, size_t size);
  // Puts in what is left of a transfer. -> false: it is to be done in another way.
  bool PutRest(StartedMove& move);
  // What the engine has done of it.
  static void OnDone(HostTransfer& transfer, int64_t answer);
  // Does what is left of it by a thread that may wait, for want of one on this one.
  void GiveRest(StartedMove& move);
  // Does what is left of it, and finishes it.
  void MoveRest(StartedMove& move);

  HostFile file_;  // fixed once the channel is used
  const bool mappable_;
  HostHoles* const holes_;
  const std::shared_ptr<HostEngine> engine_;
  HostLine line_;       // the engine's
  WaitEstimate waits_;  // of reads that must not wait
};

}  // namespace blk

#endif  // RUMPBLK_CORE_MEDIUM_HOST_CHANNEL_H_
