#include "lab/data_store.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/base/no_memory.h"
#include "core/base/units.h"

namespace blk::lab {
namespace {

constexpr size_t kChunk = size_t{4} << 20;
constexpr size_t kFileChunk = size_t{32} << 20;

}  // namespace

Status DataStore::AddMemory(size_t size) {
  auto memory = AnonymousMemory::Create(size, AnonymousMemory::Pages::kLarge);
  if (!memory.ok()) return memory.status();
  next_ = {memory.value().data(), memory.value().data(), 0};
  chunks_.push_back(memory.Take());
  held_ += size;
  left_ = size;
  return Status::Ok();
}

Status DataStore::AddFile(size_t size) {
  if (!fd_.valid()) {
    const int fd = host_.OpenUnnamed(folder_);
    if (fd < 0) return {-fd, Op::kOpen};
    fd_ = UniqueFd(host_, fd);
  }
  const int resized = host_.Resize(fd_.get(), file_size_ + size);
  if (resized != 0) return {-resized, Op::kPwrite};
  auto mapping = Mapping::Create(host_, fd_.get(), {file_size_}, size, MapMode::kRead);
  if (!mapping.ok()) return mapping.status();
  next_ = {nullptr, mapping.value().data(), file_size_};
  maps_.push_back(mapping.Take());
  file_size_ += size;
  left_ = size;
  return Status::Ok();
}

Result<DataStore::Room> DataStore::Reserve(size_t size) {
  if (size > left_) {
    const bool fits = held_ + std::max(size, kChunk) <= std::max<uint64_t>(memory_, kChunk);
    Status status;
    const bool had = HadMemory([&]() REQUIRES(mu_) {
      status = fits ? AddMemory(std::max(size, kChunk)) : AddFile(AlignUp(std::max(size, kFileChunk), kFileChunk));
    });
    if (!had) return Status{ENOMEM, Op::kTrack};
    if (!status.ok()) return status;
  }
  const Room room = next_;
  if (next_.memory != nullptr) next_.memory += size;
  next_.mapped += size;
  next_.at += size;
  left_ -= size;
  kept_ += size;
  if (room.memory == nullptr) spilled_ += size;
  return room;
}

Result<const uint8_t*> DataStore::Keep(const void* data, size_t size) {
  Room room;
  int fd = -1;
  {
    MutexLock lock(mu_);
    const auto reserved = Reserve(size);
    if (!reserved.ok()) return reserved.status();
    room = reserved.value();
    fd = fd_.get();
  }
  if (room.memory != nullptr) {
    std::memcpy(room.memory, data, size);
    return static_cast<const uint8_t*>(room.memory);
  }
  // Written, not stored through the mapping: a full disk is an error here and a signal there.
  for (size_t done = 0; done < size;) {
    const int64_t n = host_.Pwrite(fd, static_cast<const uint8_t*>(data) + done, size - done, room.at + done);
    if (n == -EINTR) continue;
    if (n <= 0) return Status{n == 0 ? EIO : static_cast<int>(-n), Op::kPwrite};
    done += static_cast<size_t>(n);
  }
  return room.mapped;
}

}  // namespace blk::lab
