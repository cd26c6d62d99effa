// Qcow2BitmapHeader: what the header of a qcow2 image says of its bitmaps, and how it comes to say something else. Each
// step is one write inside of a sector, between syncs, so that a power cut leaves the header before or behind a step.
// Not thread-safe: Qcow2Bitmaps owns it.
#ifndef RUMPBLK_CORE_IMAGE_QCOW2_BITMAP_HEADER_H_
#define RUMPBLK_CORE_IMAGE_QCOW2_BITMAP_HEADER_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "core/base/status.h"
#include "core/image/qcow2_header.h"
#include "core/medium/channel.h"
#include "core/medium/medium.h"

namespace blk {

// Where the list of bitmaps lies.
struct Qcow2BitmapPlace {
  uint32_t count = 0;
  uint64_t size = 0;    // bytes
  uint64_t offset = 0;  // in the file
};

class Qcow2BitmapHeader {
 public:
  // Reads it from the image in `file`, whose header is `header`. Errors: the medium's.
  static Result<Qcow2BitmapHeader> Read(Medium& file, const Qcow2Header& header);

  uint64_t autoclear() const { return autoclear_; }
  // Nothing: the image has none, or a program has written it that knows of none.
  std::optional<Qcow2BitmapPlace> place() const;

  // Writes autoclear bits, for a sync to follow. Errors: those of `file`.
  Status SetAutoclear(Channel& file, uint64_t value);
  // Whether it has room to say that there are bitmaps, or says so already. Errors: ENOSPC, with a Why.
  Status CheckRoom() const;
  // Says that there are bitmaps, at `place`. Syncs before and after. Errors: ENOSPC the header has no room, with a Why
  // · those of `file`.
  Status SetPlace(Channel& file, const Qcow2BitmapPlace& place);
  // Says that there are none. Syncs as well.
  Status Drop(Channel& file);

 private:
  static constexpr uint64_t kExtensionBytes = 32, kFieldsBytes = 24;

  // Where the name of the backing file goes when [begin, end) is to be free of it; where it is, if it may stay;
  // nothing: there is no room.
  std::optional<uint64_t> BackingBeside(uint64_t begin, uint64_t end) const;
  Status Insert(Channel& file, const std::vector<uint8_t>& fields);
  // Makes [begin, end) free of the name of the backing file.
  Status MoveBacking(Channel& file, uint64_t begin, uint64_t end);

  uint64_t autoclear_ = 0;
  Qcow2BitmapPlace place_;
  bool has_place_ = false;
  uint64_t extension_ = 0;     // where it begins; 0: there is none
  uint64_t end_ = 0;           // where the extensions end; 0: nowhere
  uint64_t room_ = 0;          // bytes that the header may have
  uint64_t backing_ = 0;       // where the name of the backing file begins; 0: there is none
  std::vector<uint8_t> name_;  // of it
};

}  // namespace blk

#endif  // RUMPBLK_CORE_IMAGE_QCOW2_BITMAP_HEADER_H_
