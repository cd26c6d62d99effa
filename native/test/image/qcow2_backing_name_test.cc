// What an image calls its backing file, changed: whatever single sector of a step reaches the disk, and whichever write
// or sync fails, it has the old name or the new one.
#include <string>
#include <vector>

#include "core/base/byte_order.h"
#include "core/image/qcow2_backing_name.h"
#include "test/support/check.h"
#include "test/support/fake_host.h"
#include "test/support/qcow2.h"
#include "test/support/qemu.h"
#include "test/support/recorder.h"

namespace blk {
namespace {

using test::GetFile;
using test::HasQemu;
using test::PutFile;
using test::RecorderMedium;
using test::Recording;
using test::Run;
using test::TempFile;
using Bytes = std::vector<uint8_t>;

std::string NameIn(const Bytes& file) {
  const auto at = Load<uint64_t>(&file[8], ByteOrder::kBig);
  const auto size = Load<uint32_t>(&file[16], ByteOrder::kBig);
  if (at + size > file.size()) return "behind the end";
  const auto begin = file.begin() + static_cast<ptrdiff_t>(at);
  return {begin, begin + size};
}

// Fails the write or the sync that `pass` others came before; of a write half has been done.
class FailingChannel final : public Channel {
 public:
  FailingChannel(Channel& below, int pass) : below_(below), pass_(pass) {}
  Moved Read(MediumOffset at, void* data, size_t size, const PieceRules& rules) override {
    return below_.Read(at, data, size, rules);
  }
  Moved Write(MediumOffset at, const void* data, size_t size, const PieceRules& rules) override {
    if (pass_-- != 0) return below_.Write(at, data, size, rules);
    return {below_.Write(at, data, size / 2, rules).bytes, {EIO, Op::kPwrite}};
  }
  Status Sync() override { return pass_-- != 0 ? below_.Sync() : Status{EIO, Op::kFdatasync}; }

 private:
  Channel& below_;
  int pass_;
};

Bytes MakeImage(const TempFile& folder, const std::string& name) {
  const std::string path = folder.Sibling("image.qcow2");
  const auto ran = Run("qemu-img create -q -u -f qcow2 -F raw -b " + name + " " + path + " 1M");
  if (ran.code != 0) FAIL(ran.output);
  return GetFile(path);
}

Qcow2Header HeaderOf(Medium& medium) {
  auto header = ReadQcow2Header(medium, *medium.size());
  REQUIRE(header.ok());
  return header.Take();
}

TEST_CASE("backing name: any sector that is written alone leaves the old name or the new one") {
  if (!HasQemu()) SKIP("no qemu-img: apt-get install qemu-utils");
  const TempFile folder(0);
  std::string old(300, 'a');
  const auto recording = std::make_shared<Recording>();
  recording->now = MakeImage(folder, old);
  recording->Sync();
  RecorderMedium medium(recording);
  const auto channel = medium.Attach({}).Take();
  const Qcow2Header header = HeaderOf(medium);
  const Bytes start = recording->now;
  for (const size_t size : {400, 10, 1000, 1000, 3}) {
    const std::string name(size, static_cast<char>('b' + size % 20));
    recording->step = [&] {
      for (size_t at = 0; at + 512 <= recording->synced.size(); at += 512) {
        Bytes torn = recording->synced;
        std::copy_n(recording->now.begin() + static_cast<ptrdiff_t>(at), 512,
                    torn.begin() + static_cast<ptrdiff_t>(at));
        if (std::equal(torn.begin() + static_cast<ptrdiff_t>(at), torn.begin() + static_cast<ptrdiff_t>(at) + 512,
                       recording->synced.begin() + static_cast<ptrdiff_t>(at))) {
          continue;
        }
        const std::string found = NameIn(torn);
        CHECK((found == old || found == name));
      }
    };
    REQUIRE(WriteBackingName(medium, *channel, header, name, size == 10 ? "qcow2" : "raw").ok());
    recording->step = {};
    CHECK(recording->pieces.empty());
    CHECK(NameIn(recording->now) == name);
    PutFile(folder.Sibling("image.qcow2"), recording->now);
    const auto info = Run("qemu-img info --output=json " + folder.Sibling("image.qcow2"));
    CHECK(info.output.find("\"backing-filename\": \"" + name + "\"") != std::string::npos);
    CHECK(info.output.find(size == 10 ? "\"backing-filename-format\": \"qcow2\""
                                      : "\"backing-filename-format\": \"raw\"") != std::string::npos);
    old = name;
  }
}

TEST_CASE("backing name: after a write or a sync that fails the old header is there") {
  if (!HasQemu()) SKIP("no qemu-img: apt-get install qemu-utils");
  const TempFile folder(0);
  const Bytes start = MakeImage(folder, "old.img");
  // The second format has no room where the first one is.
  for (const std::string format : {"raw", "format-of-16-by"}) {
    for (int pass = 0;; pass++) {
      INFO("format " << format << ", after " << pass);
      const auto recording = std::make_shared<Recording>();
      recording->now = start;
      RecorderMedium medium(recording);
      const auto channel = medium.Attach({}).Take();
      FailingChannel failing(*channel, pass);
      const Status status = WriteBackingName(medium, failing, HeaderOf(medium), std::string(600, 'n'), format);
      if (status.ok()) {
        CHECK(pass > 1);
        break;
      }
      CHECK(status.err == EIO);
      CHECK(NameIn(recording->now) == "old.img");
      CHECK(std::equal(start.begin(), start.begin() + 512, recording->now.begin()));
    }
  }
}

}  // namespace
}  // namespace blk
