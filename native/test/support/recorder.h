// RecorderMedium: a file in memory that grows, and remembers what was written to it and when it was synced, so that a
// test can make every state of it that a power cut may leave: all that was written before the last sync, and of what
// came after it any pieces of 4 KiB.
#ifndef RUMPBLK_TEST_SUPPORT_RECORDER_H_
#define RUMPBLK_TEST_SUPPORT_RECORDER_H_

#include <algorithm>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "core/medium/medium.h"

namespace blk::test {

struct Recording {
  std::mutex mu;
  std::vector<uint8_t> now;     // as programs see it
  std::vector<uint8_t> synced;  // as of the last sync
  // Writes since then, in pieces that do not cross a multiple of 4 KiB.
  std::vector<std::pair<uint64_t, std::vector<uint8_t>>> pieces;
  uint64_t syncs = 0;
  uint64_t room = UINT64_MAX;  // it grows no further
  std::function<void()> step;  // called behind each write and before each sync, `mu` held

  void Put(uint64_t at, const uint8_t* data, size_t size) {
    if (now.size() < at + size) now.resize(at + size);
    std::memcpy(&now[at], data, size);
    while (size > 0) {
      const size_t part = std::min<size_t>(size, 4096 - at % 4096);
      pieces.emplace_back(at, std::vector<uint8_t>(data, data + part));
      at += part;
      data += part;
      size -= part;
    }
  }
  void Sync() {
    synced = now;
    pieces.clear();
    syncs++;
  }
  // What is there after a cut at this moment. Of each page the writes that a random number of its last ones are not
  // among: the page cache writes the newest state that it had when it wrote the page.
  std::vector<uint8_t> Cut(std::mt19937_64& random) const {
    std::map<uint64_t, size_t> of_page, kept;
    for (const auto& [at, bytes] : pieces) of_page[at / 4096]++;
    for (const auto& [page, count] : of_page) kept[page] = random() % 3 == 0 ? 0 : random() % (count + 1);
    std::vector<uint8_t> after = synced;
    for (const auto& [at, bytes] : pieces) {
      size_t& left = kept[at / 4096];
      if (left == 0) continue;
      left--;
      if (after.size() < at + bytes.size()) after.resize(at + bytes.size());
      std::copy(bytes.begin(), bytes.end(), after.begin() + static_cast<ptrdiff_t>(at));
    }
    return after;
  }
};

class RecorderMedium final : public Medium {
 public:
  explicit RecorderMedium(std::shared_ptr<Recording> recording) : recording_(std::move(recording)) {}

  const std::string& name() const override { return name_; }
  MediumIdentity identity() const override {
    MediumIdentity identity;
    identity.inode = reinterpret_cast<uintptr_t>(recording_.get());
    return identity;
  }
  std::optional<uint64_t> size() const override { return recording_->now.size(); }
  Status Read(MediumOffset at, void* data, size_t size) override {
    return RecorderChannel(recording_).Read(at, data, size, {}).status;
  }
  Result<std::unique_ptr<Channel>> Attach(const Attachment&) override {
    return std::unique_ptr<Channel>(std::make_unique<RecorderChannel>(recording_));
  }
  Status Detach(const Attachment&) override { return Status::Ok(); }

 private:
  class RecorderChannel final : public Channel {
   public:
    explicit RecorderChannel(std::shared_ptr<Recording> recording) : recording_(std::move(recording)) {}
    Moved Read(MediumOffset at, void* data, size_t size, const PieceRules&) override {
      const std::lock_guard<std::mutex> lock(recording_->mu);
      const uint64_t end = recording_->now.size();
      const size_t there = at.value < end ? std::min<uint64_t>(size, end - at.value) : 0;
      if (there > 0) std::memcpy(data, &recording_->now[at.value], there);
      return {there, there < size ? Status{EIO, Op::kPread} : Status::Ok()};
    }
    Moved Write(MediumOffset at, const void* data, size_t size, const PieceRules&) override {
      const std::lock_guard<std::mutex> lock(recording_->mu);
      if (at.value + size > recording_->room) return {0, {ENOSPC, Op::kPwrite}};
      recording_->Put(at.value, static_cast<const uint8_t*>(data), size);
      if (recording_->step) recording_->step();
      return {size, Status::Ok()};
    }
    Status Sync() override {
      const std::lock_guard<std::mutex> lock(recording_->mu);
      if (recording_->step) recording_->step();
      recording_->Sync();
      return Status::Ok();
    }

   private:
    const std::shared_ptr<Recording> recording_;
  };

  const std::shared_ptr<Recording> recording_;
  const std::string name_ = "recorder";
};

}  // namespace blk::test

#endif  // RUMPBLK_TEST_SUPPORT_RECORDER_H_
