#include "core/device/lease.h"

#include <list>
#include <utility>

namespace blk {
namespace {

uint8_t* AddressOf(const Lease::Memory& memory, MediumOffset at) {
  if (const auto* window = std::get_if<WindowRef>(&memory)) return window->At(at);
  return std::get<Mapping>(memory).data() + at.value % PageSize();
}

}  // namespace

Result<std::unique_ptr<Lease>> Lease::Create(Memory memory, MediumOffset at, size_t size, MediumWindows& medium,
                                             std::optional<Shared> shared) {
  // Over the lease alone: what happens elsewhere in its window is none of its losses.
  PageWatch watch = PageWatch::Over(AddressOf(memory, at), size);
  if (!watch.valid()) return Status{ENOMEM, Op::kMap};
  return std::unique_ptr<Lease>(new Lease(std::move(memory), at, size, medium, std::move(watch), std::move(shared)));
}

Lease::Lease(Memory memory, MediumOffset at, size_t size, MediumWindows& medium, PageWatch watch,
             std::optional<Shared> shared)
    : data_(AddressOf(memory, at)),
      size_(size),
      at_(at),
      medium_(medium),
      memory_(std::move(memory)),
      watch_(std::move(watch)),
      shared_(std::move(shared)) {
  // Looked at after the watch has begun: from here on it is the watch that is marked.
  if (const auto* window = std::get_if<WindowRef>(&*memory_)) sound_ = !window->poisoned();
  if (!shared_) return;
  // Allocated before anything has begun.
  std::list<MediumSpan> stores{{at_, {at_.value + size_}}};
  shared_->flush->BeginStores(*this);
  stores_ = shared_->tracks->BeginStores(stores);
}

Status Lease::Record(const DiskLog& log, bool unsafe) {
  lent_ = {at_, data_, size_, unsafe};
  auto logs = log.Lend(lent_);
  if (!logs.ok()) return logs.status();
  logs_ = logs.Take();
  return Status::Ok();
}

// Nobody is there to hear why, and the host file may be closed: a loss is EIO then.
Lease::~Lease() {
  if (data_ != nullptr) static_cast<void>(End({EIO, Op::kMap}));
}

// Flushes ask on any thread while stores are bracketed; from EndStores() on only the owner does, so that the watch can
// stop.
MediumSpan Lease::Lost() const {
  if (!watch_.valid()) return lost_;
  const PageWatch::Lost lost = watch_.lost();
  return {{at_.value + lost.begin}, {at_.value + lost.end}};
}

Status Lease::Release() {
  if (data_ == nullptr) return Status::Ok();
  const MediumSpan lost = Lost();
  return End(lost.empty() ? Status::Ok() : medium_.WhyLost(lost));
}

Status Lease::End(Status why) {
  data_ = nullptr;
  if (logs_) {
    for (const auto& log : *logs_) log->Returned(lent_);
    logs_ = nullptr;
  }
  // In this order: the loss is looked at for the last time while the watch runs, then told while flushes can still be
  // failed by it, and only then does the watch stop, before the memory goes that it watches.
  lost_ = Lost();
  if (shared_) {
    shared_->flush->EndStores(*this, why);
    shared_->tracks->EndStores(stores_);
  }
  watch_.Stop();
  Status unmapped = Status::Ok();
  if (auto* mapping = std::get_if<Mapping>(&*memory_)) unmapped = mapping->Unmap();
  memory_.reset();
  shared_.reset();
  return lost_.empty() ? unmapped : why;
}

}  // namespace blk
