// CreateQcow2: makes an empty qcow2 image of version 3, which is durable when it is handed out.
#ifndef RUMPBLK_CORE_IMAGE_QCOW2_CREATE_H_
#define RUMPBLK_CORE_IMAGE_QCOW2_CREATE_H_

#include <string>

#include "core/image/qcow2_header.h"
#include "core/medium/medium.h"

namespace blk {

struct Qcow2Creation {
  uint64_t size = 0;           // bytes of the disk
  unsigned cluster_bits = 17;  // 12 to 21
  bool extended_l2 = true;     // needs cluster_bits of 14
  std::string backing;         // as the image is to name it; empty: none
  std::string backing_format;  // with a backing file: not empty
};

// Makes an image of all of `file`, which grows as it needs. Errors: EINVAL a name too long, clusters that cannot be ·
// EFBIG too large for clusters of that size · EBUSY and others of the medium; what lies in it then is no image.
// Thread: any; it waits for the disk.   REQUIRES: `file` is empty, or nothing in it is needed.
Status CreateQcow2(Medium& file, const Qcow2Creation& creation);

}  // namespace blk

#endif  // RUMPBLK_CORE_IMAGE_QCOW2_CREATE_H_
