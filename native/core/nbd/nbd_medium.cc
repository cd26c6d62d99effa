#include "core/nbd/nbd_medium.h"

#include <cerrno>
#include <string_view>
#include <utility>

#include "core/base/no_memory.h"
#include "core/host/lock_holder.h"
#include "core/nbd/nbd_channel.h"

namespace blk::nbd {
namespace {

// FNV-1a, from a start of its own.
uint64_t HashOf(std::string_view text, uint64_t hash) {
  for (const char c : text) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3u;
  return hash;
}

uint64_t HashOf(const ClientOptions& options, uint64_t start) {
  const SocketAddress& address = options.address;
  uint64_t hash = HashOf(address.is_unix() ? address.path : address.host, start);
  // No part has a byte of zero, so the parts cannot be taken for one another.
  hash = HashOf(std::string_view("\0", 1), hash);
  hash = HashOf(address.is_unix() ? "unix" : std::to_string(address.port), hash);
  hash = HashOf(std::string_view("\0", 1), hash);
  return HashOf(options.name, hash);
}

}  // namespace

MediumIdentity NbdStore::identity() const {
  return {MediumKind::kNbd, HashOf(setting_.client, 0xcbf29ce484222325u), HashOf(setting_.client, 0x9e3779b97f4a7c15u)};
}

Result<std::shared_ptr<NbdDisk>> NbdStore::Connect() {
  MutexLock one(connect_mu_);
  WakeEvent called_off;
  {
    MutexLock lock(mu_);
    if (ended_) return Status{ENOTCONN, Op::kConnect, Why::kNbdLost};
    if (auto disk = disk_.lock()) {
      disk->media++;
      return disk;
    }
    auto made = WakeEvent::Create();
    if (!made.ok()) return made.status();
    called_off = made.Take();
    connecting_ = &called_off;
  }
  // However this ends.
  struct Connecting {
    NbdStore& store;
    ~Connecting() {
      MutexLock lock(store.mu_);
      store.connecting_ = nullptr;
    }
  } const connecting{*this};
  ClientOptions options = setting_.client;
  options.on_again = [common = setting_.common] { common->transfers.extents.Clear(); };
  auto client = Client::Connect(std::move(options), &called_off);
  if (!client.ok()) return client.status();
  auto disk = std::make_shared<NbdDisk>(client.Take(), setting_.common, setting_.keeps_extents);
  MutexLock lock(mu_);
  if (ended_) return Status{ENOTCONN, Op::kConnect, Why::kNbdLost};
  disk_ = disk;
  facts_ = disk->client->facts();
  return disk;
}

void NbdStore::Leave(NbdDisk& disk) {
  {
    MutexLock lock(mu_);
    if (--disk.media > 0) return;
    disk_.reset();
    disk.next_leaving = std::exchange(leaving_, &disk);
  }
  disk.client->Close();
  MutexLock lock(mu_);
  NbdDisk** at = &leaving_;
  while (*at != &disk) at = &(*at)->next_leaving;
  *at = disk.next_leaving;
}

void NbdStore::End() {
  MutexLock lock(mu_);
  ended_ = true;
  if (connecting_ != nullptr) connecting_->Signal();
  if (const auto disk = disk_.lock()) disk->client->End();
  for (NbdDisk* disk = leaving_; disk != nullptr; disk = disk->next_leaving) disk->client->End();
}

NbdStatistics NbdStore::Statistics() const {
  NbdStatistics statistics;
  std::shared_ptr<NbdDisk> disk;
  {
    MutexLock lock(mu_);
    disk = disk_.lock();
    statistics.facts = facts_;
  }
  if (disk == nullptr) return statistics;
  statistics.state = disk->client->state();
  statistics.losses = disk->client->losses();
  statistics.reconnects = disk->client->reconnects();
  statistics.connections = disk->client->connections();
  return statistics;
}

Result<std::unique_ptr<Medium>> NbdMedium::Create(std::shared_ptr<NbdStore> store) {
  std::unique_ptr<Medium> medium;
  std::shared_ptr<NbdDisk> kept;
  Status status{ENOMEM, Op::kConnect};
  const bool had_memory = HadMemory([&] {
    auto disk = store->Connect();
    status = disk.status();
    if (!disk.ok()) return;
    kept = disk.Take();
    medium.reset(new NbdMedium(store, kept));
  });
  if (!had_memory) {
    if (kept != nullptr) store->Leave(*kept);
    return Status{ENOMEM, Op::kConnect};
  }
  if (!status.ok()) return status;
  return medium;
}

Status NbdMedium::Read(MediumOffset at, void* data, size_t size) {
  Status status{ENOMEM, Op::kPread};
  static_cast<void>(HadMemory([&] { status = NbdChannel(disk_, told_).Read(at, data, size, {}).status; }));
  return status;
}

Result<std::unique_ptr<Channel>> NbdMedium::Attach(const Attachment& wanted) {
  const Status alive = disk_->client->Revive();
  if (!alive.ok()) return alive;
  if (wanted.write && disk_->client->facts().Has(kReadOnly)) return Status{EROFS, Op::kOpen, Why::kNbdReadOnly};
  std::unique_ptr<Channel> channel;
  if (!HadMemory([&] { channel = std::make_unique<NbdChannel>(disk_, told_); })) return Status{ENOMEM, Op::kOpen};
  if (!wanted.lock) return channel;
  const Status held = store_->setting().common->holds.Add(this, wanted.range, wanted.write);
  if (!held.ok()) return held;
  return channel;
}

Status NbdMedium::Detach(const Attachment& wanted) {
  if (wanted.lock) store_->setting().common->holds.Remove(this, wanted.range, wanted.write);
  return Status::Ok();
}

int NbdMedium::Holder(const Attachment& wanted) {
  return wanted.lock && store_->setting().common->holds.Taken(this, wanted.range, wanted.write) ? OwnProcess() : 0;
}

}  // namespace blk::nbd
