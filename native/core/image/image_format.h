// ImageFormat: what a file may hold, and ImageChain: what the images over a backing file hand down to it. Plain data.
#ifndef RUMPBLK_CORE_IMAGE_IMAGE_FORMAT_H_
#define RUMPBLK_CORE_IMAGE_IMAGE_FORMAT_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "core/host/host_io.h"
#include "core/medium/medium.h"
#include "core/medium/read_counts.h"

namespace blk {

// Their names cross by addon/layout.cc. kAuto: what the content says; a guest that writes such content into a raw disk
// makes an image of another format of it, which is why somebody has to ask for it.
enum class ImageFormat : uint8_t { kRaw = 0, kQcow2 = 1, kVhd = 2, kAuto = 3 };

struct ImageChain;
// OpenImage() of image.h.
using ImageOpener = Result<std::unique_ptr<Medium>> (*)(HostIo& host, std::unique_ptr<Medium> file, ImageFormat format,
                                                        ImageChain chain);

struct ImageChain {
  std::vector<MediumIdentity> above;  // host files of the images over it, the lowest last: none becomes its own
  ImageOpener open = nullptr;         // what opens the next one
  ReadCounts counts;                  // of reads of the next one
};
inline constexpr size_t kMaxChain = 64;

}  // namespace blk

#endif  // RUMPBLK_CORE_IMAGE_IMAGE_FORMAT_H_
