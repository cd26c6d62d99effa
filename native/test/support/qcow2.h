// What tests of qcow2 images that are written have in common: opening one, random steps beside a model, files as bytes.
#ifndef RUMPBLK_TEST_SUPPORT_QCOW2_H_
#define RUMPBLK_TEST_SUPPORT_QCOW2_H_

#include <array>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "core/image/image.h"
#include "core/medium/host_medium.h"
#include "test/support/check.h"
#include "test/support/temp_file.h"

namespace blk::test {

inline Attachment Writing(bool write = true) {
  Attachment wanted;
  wanted.write = write;
  wanted.lock = true;
  wanted.range = {{0}, {1}};
  return wanted;
}

inline std::unique_ptr<Medium> OpenQcow2(HostIo& host, const std::string& path) {
  auto file = HostMedium::Create(host, path);
  REQUIRE(file.ok());
  auto image = OpenImage(host, file.Take(), ImageFormat::kQcow2);
  REQUIRE(image.ok());
  return image.Take();
}

// One step of the model: a write, zeros or a discard of [at, at + size).
inline void Step(Channel& channel, std::vector<uint8_t>& model, uint64_t at, size_t size, int kind, uint64_t salt) {
  if (kind == 0) {
    REQUIRE(channel.Zero({at}, size, {}).bytes == size);
    std::memset(&model[at], 0, size);
  } else if (kind == 1) {
    REQUIRE(channel.Discard({at}, size, {}).status.ok());
    // Each byte is as before or zero: the model has what is read.
    std::vector<uint8_t> now(size);
    REQUIRE(channel.Read({at}, now.data(), size, {}).bytes == size);
    for (size_t i = 0; i < size; i++) {
      if (now[i] != 0 && now[i] != model[at + i]) FAIL("discard made something else of byte " << at + i);
    }
    std::memcpy(&model[at], now.data(), size);
  } else {
    const auto bytes = Pattern(at, size, salt);
    const Moved moved = channel.Write({at}, bytes.data(), size, {});
    if (!moved.status.ok()) FAIL("write: errno " << moved.status.err << " " << WhyText(moved.status.why));
    REQUIRE(moved.bytes == size);
    std::memcpy(&model[at], bytes.data(), size);
  }
}

inline void RandomSteps(Channel& channel, std::vector<uint8_t>& model, uint64_t seed, int count) {
  std::mt19937_64 random(seed);
  for (int i = 0; i < count; i++) {
    const uint64_t grain = std::array<uint64_t, 3>{1, 512, 4096}[random() % 3];
    const uint64_t at = random() % model.size() / grain * grain;
    const uint64_t most = random() % 10 == 0 ? 700000 : 20000;
    const size_t size = std::min<uint64_t>(std::max<uint64_t>(1, random() % most / grain * grain), model.size() - at);
    const int kind = static_cast<int>(random() % 10);
    Step(channel, model, at, size, kind, seed * 1000 + static_cast<uint64_t>(i));
    if (random() % 20 == 0) REQUIRE(channel.Sync().ok());
  }
}

inline std::vector<uint8_t> ReadAll(Channel& channel, uint64_t size) {
  std::vector<uint8_t> bytes(size);
  REQUIRE(channel.Read({0}, bytes.data(), size, {}).bytes == size);
  return bytes;
}

inline void PutFile(const std::string& path, const std::vector<uint8_t>& bytes) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

// In one read: byte by byte is what tests under a sanitizer would spend their time in.
inline std::vector<uint8_t> GetFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  REQUIRE(file.good());
  std::vector<uint8_t> bytes(static_cast<size_t>(file.tellg()));
  file.seekg(0);
  file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  REQUIRE(file.good());
  return bytes;
}

}  // namespace blk::test

#endif  // RUMPBLK_TEST_SUPPORT_QCOW2_H_
