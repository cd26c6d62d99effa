// Media that lie in a host file in a format of their own, for tests of what all media promise.
#ifndef RUMPBLK_TEST_SUPPORT_IMAGE_MEDIA_H_
#define RUMPBLK_TEST_SUPPORT_IMAGE_MEDIA_H_

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "core/base/byte_order.h"
#include "core/image/image.h"
#include "core/image/qcow2_create.h"
#include "core/image/qcow2_overlay.h"
#include "core/medium/host_medium.h"
#include "core/medium/overlay_medium.h"
#include "test/support/check.h"
#include "test/support/qcow2.h"
#include "test/support/temp_file.h"

namespace blk::test {

inline std::unique_ptr<Medium> OpenHost(HostIo& host, const std::string& path) {
  auto file = HostMedium::Create(host, path);
  REQUIRE(file.ok());
  return file.Take();
}

// A fixed VHD with a disk of zeros.
inline void MakeVhd(const std::string& path, uint64_t size) {
  std::vector<uint8_t> footer(512);
  std::memcpy(footer.data(), "conectix", 8);
  Store<uint64_t>(&footer[48], size, ByteOrder::kBig);
  Store<uint32_t>(&footer[60], 2, ByteOrder::kBig);
  uint32_t sum = 0;
  for (const uint8_t byte : footer) sum += byte;
  Store<uint32_t>(&footer[64], ~sum, ByteOrder::kBig);
  std::vector<uint8_t> bytes(size);
  bytes.insert(bytes.end(), footer.begin(), footer.end());
  PutFile(path, bytes);
}

inline void MakeQcow2(HostIo& host, const std::string& path, const Qcow2Creation& creation) {
  PutFile(path, {});
  const auto file = OpenHost(host, path);
  REQUIRE(CreateQcow2(*file, creation).ok());
  REQUIRE(file->Close().ok());
}

// An overlay of an image over the raw file `base`, ended with the last copy.
inline std::shared_ptr<Overlay> OverlayInImage(HostIo& host, const std::string& path, const std::string& base) {
  const auto below = OpenHost(host, base);
  Qcow2OverlaySetting setting;
  setting.name = path;
  setting.base = below->identity();
  REQUIRE(below->Close().ok());
  auto opened = Qcow2Overlay::Open(host, OpenHost(host, path), setting);
  REQUIRE(opened.ok());
  const std::shared_ptr<Overlay> overlay = opened.Take();
  return {overlay.get(), [overlay](Overlay*) { CHECK(overlay->Leave().ok()); }};
}

}  // namespace blk::test

#endif  // RUMPBLK_TEST_SUPPORT_IMAGE_MEDIA_H_
