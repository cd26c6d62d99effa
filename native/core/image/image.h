// OpenImage: makes the medium that an image in a file is: its bytes are those of the disk that the image holds.
#ifndef RUMPBLK_CORE_IMAGE_IMAGE_H_
#define RUMPBLK_CORE_IMAGE_IMAGE_H_

#include <memory>

#include "core/image/image_format.h"
#include "core/medium/medium.h"

namespace blk {

// Takes the medium that the image lies in, and looks at its header. kRaw: the medium itself.
// Errors: EINVAL no such image, or a damaged one · ENOTSUP a feature that is not done here · the medium's; of the first
// two with a Why.   Thread: any; it may wait.
Result<std::unique_ptr<Medium>> OpenImage(HostIo& host, std::unique_ptr<Medium> file, ImageFormat format,
                                          ImageChain chain = {});

}  // namespace blk

#endif  // RUMPBLK_CORE_IMAGE_IMAGE_H_
