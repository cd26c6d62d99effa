// Qcow2Image: a qcow2 image while it is attached: its tables, the disk below it, and its compressed clusters. Reads the
// bytes of the disk. Shared by all channels of a Qcow2Medium, each of which brings its own way to the file.
// Thread-safe. Data moves without a lock: what the tables say of data that is read stays where it is.
#ifndef RUMPBLK_CORE_IMAGE_QCOW2_IMAGE_H_
#define RUMPBLK_CORE_IMAGE_QCOW2_IMAGE_H_

#include <memory>
#include <string>
#include <utility>

#include "core/image/backing.h"
#include "core/image/qcow2_compressed.h"
#include "core/image/qcow2_header.h"
#include "core/image/qcow2_tables.h"
#include "core/medium/medium.h"

namespace blk {

class Qcow2Image {
 public:
  // Reads the header and the L1 table of the image in `file`, which outlives this object, and attaches what lies below
  // it, which is `given` where that is something. Errors: those of ReadQcow2Header(), Backing::Open() and
  // Backing::Take().
  static Result<std::unique_ptr<Qcow2Image>> Create(HostIo& host, Medium& file, const ImageChain& chain, bool lock,
                                                    GivenBacking given = {});
  Qcow2Image(const Qcow2Image&) = delete;
  Qcow2Image& operator=(const Qcow2Image&) = delete;

  // Lets go of what lies below, and its locks. REQUIRES: nothing reads or writes any more; channels may still be there.
  void Close() { backing_.reset(); }

  const Qcow2Header& header() const { return header_; }
  Qcow2Tables& tables() { return *tables_; }
  Medium& file() const { return file_; }
  // Null: there is none.
  Backing* backing() const { return backing_.get(); }

  // As Channel has them, with `file` the way to the image.   REQUIRES: [at, at + size) lies inside the disk.
  Moved Read(Channel& file, uint64_t at, uint8_t* data, size_t size, const PieceRules& rules);
  // All of a compressed cluster. Errors: those of CompressedClusters::Read().
  Status ReadCompressed(Channel& file, const Qcow2Run& run, uint8_t* data, size_t size) {
    return compressed_.Read(file_, file, run, 0, data, size);
  }
  // Goes on from another disk, which the header names so by now. REQUIRES: nothing reads or writes meanwhile.
  void SetBacking(std::unique_ptr<Backing> backing, const std::string& name, const std::string& format) {
    backing_ = std::move(backing);
    header_.backing = name;
    header_.backing_format = format;
  }
  // Reads again what others may have changed until the image was locked. Errors: ESTALE the header · the medium's.
  Status Reload();
  Result<size_t> Extents(Channel& file, MediumSpan within, ExtentLayer layer, std::span<MediumExtent> found,
                         const PieceRules& rules);

 private:
  Qcow2Image(Medium& file, Qcow2Header header) : file_(file), header_(std::move(header)), compressed_(header_) {}

  // [at, at + size) of one run, or a prefix of it.
  Moved ReadRun(Channel& file, const Qcow2Run& run, uint64_t at, uint8_t* data, size_t size, const PieceRules& rules);
  Moved ReadNow(Channel& file, uint64_t at, uint8_t* data, size_t size, const PieceRules& rules);
  // Puts what lies below `span` into `found`. -> how many. Errors: those of Channel::Extents().
  Result<size_t> ExtentsBelow(MediumSpan span, std::span<MediumExtent> found, const PieceRules& rules);

  Medium& file_;
  Qcow2Header header_;  // fixed but for what lies below
  std::unique_ptr<Qcow2Tables> tables_;
  std::unique_ptr<Backing> backing_;
  CompressedClusters compressed_;
};

}  // namespace blk

#endif  // RUMPBLK_CORE_IMAGE_QCOW2_IMAGE_H_
