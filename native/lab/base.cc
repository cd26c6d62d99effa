#include "lab/base.h"

#include <algorithm>
#include <cstring>

namespace blk::lab {
namespace {

// Stands for every block of zeros.
alignas(64) const std::array<uint8_t, 4096> kZeroBlock{};

bool IsZero(const uint8_t* data) { return std::memcmp(data, kZeroBlock.data(), kZeroBlock.size()) == 0; }

}  // namespace

Result<std::unique_ptr<Base>> Base::Open(std::unique_ptr<Medium> medium, MediumSpan range) {
  Attachment attachment;
  attachment.range = range;
  auto channel = medium->Attach(attachment);
  if (!channel.ok()) {
    static_cast<void>(medium->Close());
    return channel.status();
  }
  return std::unique_ptr<Base>(new Base(std::move(medium), attachment, channel.Take()));
}

// What a medium that was only read says at its end is nobody's.
Base::~Base() {
  channel_.reset();
  static_cast<void>(medium_->Detach(attachment_));
  static_cast<void>(medium_->Close());
}

const uint8_t* Base::CopyOf(uint64_t block) const {
  const uint64_t number = block / kBlocks;
  if (number == last_number_) return (*last_)[block % kBlocks];
  const auto leaf = leaves_.find(number);
  return leaf == leaves_.end() ? nullptr : (*leaf->second)[block % kBlocks];
}

Status Base::ReadNow(uint64_t at, uint8_t* data, size_t size) const {
  uint64_t end = at + size;
  if (const auto all = medium_->size()) end = std::min(end, *all);
  const size_t inside = end > at ? static_cast<size_t>(end - at) : 0;
  std::memset(data + inside, 0, size - inside);
  if (inside == 0) return Status::Ok();
  return channel_->Read({at}, data, inside, {}).status;
}

Status Base::Preserve(uint64_t at, uint64_t size, DataStore& store) {
  if (size == 0) return Status::Ok();
  const uint64_t end = (at + size - 1) / kBlock + 1;
  MutexLock lock(mu_);
  for (uint64_t block = at / kBlock; block < end;) {
    if (CopyOf(block) != nullptr) {
      block++;
      continue;
    }
    uint64_t stop = block + 1;
    while (stop < end && stop - block < kRun && CopyOf(stop) == nullptr) stop++;
    const Status read = ReadNow(block * kBlock, room_.data(), static_cast<size_t>(stop - block) * kBlock);
    if (!read.ok()) return read;
    for (const uint8_t* from = room_.data(); block < stop; block++, from += kBlock) {
      const uint64_t number = block / kBlocks;
      if (number != last_number_) {
        auto& leaf = leaves_[number];
        if (leaf == nullptr) leaf = std::make_unique<Leaf>();
        last_number_ = number;
        last_ = leaf.get();
      }
      const uint8_t* copy = kZeroBlock.data();
      if (!IsZero(from)) {
        const auto kept = store.Keep(from, kBlock);
        if (!kept.ok()) return kept.status();
        copy = kept.value();
      }
      (*last_)[block % kBlocks] = copy;
    }
  }
  return Status::Ok();
}

Status Base::Read(uint64_t at, void* data, size_t size) {
  auto* const to = static_cast<uint8_t*>(data);
  const Status read = ReadNow(at, to, size);
  if (!read.ok()) return read;
  // Behind the read: what was changed meanwhile was kept before.
  MutexLock lock(mu_);
  for (uint64_t from = at; from < at + size;) {
    const uint64_t block = from / kBlock;
    const uint64_t stop = std::min(at + size, (block + 1) * kBlock);
    if (const uint8_t* const copy = CopyOf(block)) {
      std::memcpy(to + (from - at), copy + from % kBlock, static_cast<size_t>(stop - from));
    }
    from = stop;
  }
  return Status::Ok();
}

}  // namespace blk::lab
