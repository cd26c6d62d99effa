#include "core/image/qcow2_compressed.h"

#include <cstring>
#include <utility>

#include "core/base/no_memory.h"
#include "core/host/decompress.h"
#include "core/image/image_file.h"

namespace blk {

CompressedClusters::Bytes CompressedClusters::Last(uint64_t host) {
  MutexLock lock(mu_);
  return last_host_ == host ? last_ : nullptr;
}

Result<CompressedClusters::Bytes> CompressedClusters::Decompress(Medium& file, Channel& channel, const Qcow2Run& run) {
  std::vector<uint8_t> packed(static_cast<size_t>(run.packed));
  auto cluster = std::make_shared<std::vector<uint8_t>>(static_cast<size_t>(header_.cluster_size()));
  // The last sectors that the entry counts may lie behind the end of the file.
  const Moved moved = ReadImageFile(file, channel, {run.host}, packed.data(), packed.size(), {});
  if (!moved.status.ok()) return moved.status;
  const bool zstd = header_.compression == Compression::kZstd;
  const int err = (zstd ? Unzstd : Inflate)(packed.data(), packed.size(), cluster->data(), cluster->size());
  if (err == ENOSYS) return Status{ENOTSUP, Op::kPread, zstd ? Why::kNoZstd : Why::kNoZlib};
  if (err == ENOMEM) return Status{ENOMEM, Op::kPread};
  if (err != 0) return Status{EIO, Op::kPread, Why::kQcow2Compressed};
  Bytes bytes = std::move(cluster);
  MutexLock lock(mu_);
  last_host_ = run.host;
  last_ = bytes;
  return bytes;
}

Status CompressedClusters::Read(Medium& file, Channel& channel, const Qcow2Run& run, uint64_t skip, uint8_t* data,
                                size_t size) {
  Bytes bytes = Last(run.host);
  if (!bytes) {
    Result<Bytes> fresh = Status{ENOMEM, Op::kPread};
    if (!HadMemory([&] { fresh = Decompress(file, channel, run); })) return {ENOMEM, Op::kPread};
    if (!fresh.ok()) return fresh.status();
    bytes = fresh.Take();
  }
  std::memcpy(data, bytes->data() + skip, size);
  return Status::Ok();
}

}  // namespace blk
