// WriteBackingName: what an image calls the disk that it goes on from, changed in its header, as `qemu-img rebase -u`
// does.
#ifndef RUMPBLK_CORE_IMAGE_QCOW2_BACKING_NAME_H_
#define RUMPBLK_CORE_IMAGE_QCOW2_BACKING_NAME_H_

#include <string>

#include "core/image/qcow2_header.h"
#include "core/medium/channel.h"
#include "core/medium/medium.h"

namespace blk {

// Writes the name, and the format, of the backing file of the image in `file` through `channel`, durably; all else in
// the header stays, extensions that are not known here too. The name goes beside the old one, and then one sector says
// where it is and what its format is: a power cut leaves the old ones or the new ones. Only where there is no room
// beside, or no room of that size for the format in the first sector, all is written at once, and a power cut may leave
// a part. After a failure the old header is written again. Errors: EINVAL a name too long, or no room in the header for
// it · the medium's; with a Why.   REQUIRES: neither is empty; nobody else writes the header.
Status WriteBackingName(Medium& file, Channel& channel, const Qcow2Header& header, const std::string& name,
                        const std::string& format);

}  // namespace blk

#endif  // RUMPBLK_CORE_IMAGE_QCOW2_BACKING_NAME_H_
