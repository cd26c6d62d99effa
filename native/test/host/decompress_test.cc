// Decompression by the libraries of the host, of streams that are right, cut and followed by something else.
#include "core/host/decompress.h"

#include <cerrno>
#include <cstdint>
#include <string>
#include <vector>

#include "test/support/check.h"

namespace blk {
namespace {

// "hello hello hello hello" by raw deflate, and as a frame of zstd.
const std::vector<uint8_t> kDeflated = {0xcb, 0x48, 0xcd, 0xc9, 0xc9, 0x57, 0xc8, 0x40, 0x27, 0x01};
const std::string kText = "hello hello hello hello";

TEST_CASE("decompress: a raw deflate stream, whatever follows it") {
  std::vector<uint8_t> from = kDeflated;
  from.resize(512, 0xff);
  std::vector<uint8_t> to(kText.size());
  const int err = Inflate(from.data(), from.size(), to.data(), to.size());
  if (err == ENOSYS) SKIP("no libz.so.1");
  CHECK(err == 0);
  CHECK(std::string(to.begin(), to.end()) == kText);
  // As much of it as there is room for.
  to.resize(5);
  CHECK(Inflate(from.data(), from.size(), to.data(), to.size()) == 0);
}

TEST_CASE("decompress: what is cut, damaged or too short is EIO") {
  std::vector<uint8_t> to(kText.size() + 1);
  const int err = Inflate(kDeflated.data(), kDeflated.size(), to.data(), to.size());
  if (err == ENOSYS) SKIP("no libz.so.1");
  CHECK(err == EIO);
  CHECK(Inflate(kDeflated.data(), 3, to.data(), kText.size()) == EIO);
  const std::vector<uint8_t> wrong(64, 0xff);
  CHECK(Inflate(wrong.data(), wrong.size(), to.data(), to.size()) == EIO);
  CHECK(Inflate(wrong.data(), 0, to.data(), to.size()) == EIO);
}

TEST_CASE("decompress: zstd refuses what is no frame") {
  const std::vector<uint8_t> wrong(64, 0xff);
  std::vector<uint8_t> to(64);
  const int err = Unzstd(wrong.data(), wrong.size(), to.data(), to.size());
  if (err == ENOSYS) SKIP("no libzstd.so.1");
  CHECK(err == EIO);
  CHECK(Unzstd(wrong.data(), 0, to.data(), to.size()) == EIO);
}

}  // namespace
}  // namespace blk
