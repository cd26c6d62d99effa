// NbdMedium: an export of an NBD server as a medium. NbdStore: what the media of one export share: how it is reached,
// and, while there is a medium, its client. It connects when the first medium is made and says goodbye with the last.
// Thread-safe. Lock order: NbdStore::mu_, then a Client's.
#ifndef RUMPBLK_CORE_NBD_NBD_MEDIUM_H_
#define RUMPBLK_CORE_NBD_NBD_MEDIUM_H_

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "core/base/sync.h"
#include "core/medium/medium.h"
#include "core/nbd/client.h"
#include "core/nbd/nbd_disk.h"

namespace blk::nbd {

struct NbdSetting {
  ClientOptions client;
  std::string name;           // for people
  bool keeps_extents = true;  // nobody else changes the export
  // Shared by the stores of one export.
  std::shared_ptr<NbdCommon> common = std::make_shared<NbdCommon>();
};

// What has happened to the connections of a store.
struct NbdStatistics {
  ClientState state = ClientState::kEnded;
  uint64_t losses = 0;
  uint64_t reconnects = 0;
  size_t connections = 0;
  std::optional<ExportFacts> facts;  // of the connection there is, or was last
};

class NbdStore {
 public:
  explicit NbdStore(NbdSetting setting) : setting_(std::move(setting)) {}

  const NbdSetting& setting() const { return setting_; }
  // Same server and export, same identity.
  MediumIdentity identity() const;
  // The disk there is, or one that is connected now; it waits. Errors: those of Client::Connect() · ENOTCONN ended.
  Result<std::shared_ptr<NbdDisk>> Connect() EXCLUDES(mu_);
  // Of a medium that has it from Connect(): does not need it any more. The last one says goodbye.
  void Leave(NbdDisk& disk) EXCLUDES(mu_);
  // Ends what there is, now, also what connects or says goodbye, and lets nobody connect any more.
  void End() EXCLUDES(mu_);
  NbdStatistics Statistics() const EXCLUDES(mu_);

 private:
  const NbdSetting setting_;
  Mutex connect_mu_;  // one connects at a time; before mu_
  mutable Mutex mu_;
  std::weak_ptr<NbdDisk> disk_ GUARDED_BY(mu_);
  NbdDisk* leaving_ GUARDED_BY(mu_) = nullptr;       // their Leave() keeps them
  WakeEvent* connecting_ GUARDED_BY(mu_) = nullptr;  // ends the Connect() under way
  std::optional<ExportFacts> facts_ GUARDED_BY(mu_);
  bool ended_ GUARDED_BY(mu_) = false;
};

class NbdMedium final : public Medium {
 public:
  ~NbdMedium() override { Leave(); }

  // Connects, where nobody has yet; it waits. Errors: those of NbdStore::Connect() · ENOMEM.
  static Result<std::unique_ptr<Medium>> Create(std::shared_ptr<NbdStore> store);

  const std::string& name() const override { return store_->setting().name; }
  MediumIdentity identity() const override { return store_->identity(); }
  std::optional<uint64_t> size() const override { return disk_->client->facts().reach(); }
  Status Read(MediumOffset at, void* data, size_t size) override;
  // Makes a connection that was lost again.
  Result<std::unique_ptr<Channel>> Attach(const Attachment& wanted) override;
  Status Detach(const Attachment& wanted) override;
  int Holder(const Attachment& wanted) override;
  Result<std::unique_ptr<Medium>> Again() override { return Create(store_); }
  Status Close() override { return Leave(), Status::Ok(); }

 private:
  NbdMedium(std::shared_ptr<NbdStore> store, std::shared_ptr<NbdDisk> disk)
      : store_(std::move(store)),
        disk_(std::move(disk)),
        told_(std::make_shared<std::atomic<uint64_t>>(disk_->client->unflushed())) {}

  void Leave() {
    if (std::exchange(uses_, false)) store_->Leave(*disk_);
  }

  const std::shared_ptr<NbdStore> store_;
  const std::shared_ptr<NbdDisk> disk_;
  // Which losses it was told of: each medium hears of each once, whoever else has.
  const std::shared_ptr<std::atomic<uint64_t>> told_;
  bool uses_ = true;
};

}  // namespace blk::nbd

#endif  // RUMPBLK_CORE_NBD_NBD_MEDIUM_H_
