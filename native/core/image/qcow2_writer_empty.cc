// Qcow2Writer: what changes all of an image at once: to have nothing by itself, and to lie over another disk.
#include <algorithm>

#include "core/image/qcow2_backing_name.h"
#include "core/image/qcow2_writer.h"

namespace blk {

// Clusters are counted off behind a sync of the tables that do not have them: a crash between the two leaks them.
Status Qcow2Writer::Empty() {
  std::vector<uint64_t> references;
  const Qcow2Bitmaps::Change change(*bitmaps_, 0, header_.size);
  MutexLock lock(placing_);
  Status status = image_.tables().References(file_, references);
  if (!status.ok()) return status;
  std::sort(references.begin(), references.end());
  status = allocator_->CheckReferences(references);
  if (status.ok()) status = image_.tables().Clear(file_);
  if (status.ok()) status = file_.Sync();
  if (!status.ok()) return status;
  return allocator_->FreeAll(references);
}

Status Qcow2Writer::Rename(const std::string& backing, const std::string& format) {
  const Qcow2Bitmaps::Change change(*bitmaps_, 0, header_.size);
  const Status status = Sync();
  if (!status.ok()) return status;
  return WriteBackingName(image_.file(), file_, header_, backing, format);
}

}  // namespace blk
