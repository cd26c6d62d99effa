// Every medium there is, for tests of what all of them promise.
#ifndef RUMPBLK_TEST_SUPPORT_MEDIA_H_
#define RUMPBLK_TEST_SUPPORT_MEDIA_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/medium/host_medium.h"
#include "core/medium/late_medium.h"
#include "core/medium/memory_medium.h"
#include "core/medium/null_medium.h"
#include "core/medium/overlay_medium.h"
#include "core/medium/overlay_store.h"
#include "core/nbd/nbd_medium.h"
#include "test/support/check.h"
#include "test/support/fake_host.h"
#include "test/support/image_media.h"
#include "test/support/loop_device.h"
#include "test/support/nbd_server.h"
#include "test/support/temp_file.h"

namespace blk::test {

inline constexpr uint64_t kMediumSize = 3 * 1024 * 1024 + 512;

// A way to make a medium of kMediumSize bytes of zeros, again and again the same one.
struct Kind {
  std::string name;
  std::function<std::unique_ptr<Medium>()> make;
  bool keeps;  // what is written is read back
  // Of an image the host file that it lies in, where host offsets count, and which is locked as a whole.
  std::string image = {};
};

// An export of kMediumSize bytes of zeros.
inline Kind NbdKind(const char* name, NbdTestOptions options, unsigned connections) {
  options.size = kMediumSize;
  const auto server = std::make_shared<NbdTestServer>(std::move(options));
  nbd::NbdSetting setting;
  setting.name = name;
  setting.client.address.path = server->path();
  setting.client.connections = connections;
  const auto store = std::make_shared<nbd::NbdStore>(std::move(setting));
  return {name, [server, store] { return nbd::NbdMedium::Create(store).Take(); }, true};
}

// Images in files beside `file`.
inline std::vector<Kind> Images(FakeHost& host, const TempFile& file) {
  const auto path = [&](const char* name) { return file.Sibling(name); };
  MakeVhd(path("disk.vhd"), kMediumSize);
  MakeQcow2(host, path("disk.qcow2"), {kMediumSize, 16, false, {}, {}});
  PutFile(path("base.img"), std::vector<uint8_t>(kMediumSize));
  MakeQcow2(host, path("changes.qcow2"), {kMediumSize, 17, true, path("base.img"), "raw"});
  const auto overlay = OverlayInImage(host, path("changes.qcow2"), path("base.img"));
  const auto image = [&host](const std::string& in, ImageFormat format) {
    return [&host, in, format] { return OpenImage(host, OpenHost(host, in), format).Take(); };
  };
  return {
      {"vhd", image(path("disk.vhd"), ImageFormat::kVhd), true, path("disk.vhd")},
      {"qcow2", image(path("disk.qcow2"), ImageFormat::kQcow2), true, path("disk.qcow2")},
      {"overlay in an image", [overlay] { return std::unique_ptr<Medium>(std::make_unique<OverlayMedium>(overlay)); },
       true, path("changes.qcow2")},
  };
}

// `node` may be none.
inline std::vector<Kind> Media(FakeHost& host, const TempFile& file, const LoopDevice& node) {
  const auto memory = MemoryMedium::CreateStore(kMediumSize, "memory", 512).Take();
  const auto late = MemoryMedium::CreateStore(kMediumSize, "late", 512).Take();
  const auto answers = std::make_shared<LateAnswers>(std::chrono::microseconds(200), 1);
  // Over the same medium once with a delta in memory and once with one in a file.
  const auto base = MemoryMedium::CreateStore(kMediumSize, "base", 512).Take();
  const auto overlay = [base](const char* name, const OverlaySetting& setting) {
    return OverlayStore::Create(OverlayBase(std::make_unique<MemoryMedium>(base), {0}, kMediumSize), name, setting)
        .Take();
  };
  OverlaySetting in_file;
  in_file.delta = {&host, std::filesystem::temp_directory_path().string()};
  const auto over = overlay("overlay", {}), over_file = overlay("overlay in a file", in_file);
  const auto nothing = std::make_shared<VolatileStore>(kMediumSize, "null", 512);
  std::vector<Kind> kinds = {
      {"host", [&] { return std::unique_ptr<Medium>(HostMedium::Create(host, file.path()).Take()); }, true},
      {"memory", [memory] { return std::unique_ptr<Medium>(std::make_unique<MemoryMedium>(memory)); }, true},
      {"late",
       [late, answers] {
         return std::unique_ptr<Medium>(std::make_unique<LateMedium>(std::make_unique<MemoryMedium>(late), answers));
       },
       true},
      {"overlay", [over] { return std::unique_ptr<Medium>(std::make_unique<OverlayMedium>(over)); }, true},
      {"overlay in a file", [over_file] { return std::unique_ptr<Medium>(std::make_unique<OverlayMedium>(over_file)); },
       true},
      {"null", [nothing] { return std::unique_ptr<Medium>(std::make_unique<NullMedium>(nothing)); }, false},
  };
  kinds.push_back(NbdKind("nbd", {}, 3));
  // One that knows little, and takes whole sectors and little at a time.
  NbdTestOptions old;
  old.structured = old.go = false;
  old.flags = nbd::kHasFlags;
  kinds.push_back(NbdKind("nbd of old", std::move(old), 1));
  NbdTestOptions coarse;
  coarse.blocks = {512, 4096, 65536};
  kinds.push_back(NbdKind("nbd in sectors", std::move(coarse), 2));
  for (Kind& image : Images(host, file)) kinds.push_back(std::move(image));
  if (!node.path().empty()) {
    kinds.push_back(
        {"node", [&] { return std::unique_ptr<Medium>(HostMedium::Create(host, node.path()).Take()); }, true});
  }
  return kinds;
}

inline Attachment Writer(MediumSpan range = {{0}, {kMediumSize}}) {
  Attachment wanted;
  wanted.write = wanted.lock = true;
  wanted.range = range;
  return wanted;
}
inline Attachment Reader(MediumSpan range = {{0}, {kMediumSize}}) {
  Attachment wanted = Writer(range);
  wanted.write = false;
  return wanted;
}

// Calls `visit` for every medium.
template <typename Visit>
void ForEachMedium(Visit&& visit) {
  FakeHost host;
  const TempFile file(kMediumSize);
  const TempFile below(kMediumSize);
  const LoopDevice node(below, false);
  for (const Kind& kind : Media(host, file, node)) {
    INFO("medium " << kind.name);
    visit(kind);
  }
}

// The same with an attached channel that may write.
template <typename Visit>
void ForEachChannel(Visit&& visit) {
  ForEachMedium([&](const Kind& kind) {
    const auto medium = kind.make();
    auto channel = medium->Attach(Writer());
    REQUIRE(channel.ok());
    visit(kind, *medium, *channel.value());
    CHECK(medium->Detach(Writer()).ok());
    CHECK(medium->Close().ok());
  });
}

}  // namespace blk::test

#endif  // RUMPBLK_TEST_SUPPORT_MEDIA_H_
