#include "core/image/qcow2_overlay.h"

#include <utility>

#include "core/image/image.h"
#include "core/image/sticky_channel.h"
#include "core/image/with_memory.h"

namespace blk {
namespace {

class Qcow2OverlayChannel final : public Channel {
 public:
  explicit Qcow2OverlayChannel(std::shared_ptr<Qcow2Overlay> overlay) : overlay_(std::move(overlay)) {}

  Moved Read(MediumOffset at, void* data, size_t size, const PieceRules& rules) override {
    return WithMemory(Op::kPread, [&] { return overlay_->Read(at, data, size, rules); });
  }
  Moved Write(MediumOffset at, const void* data, size_t size, const PieceRules& rules) override {
    return WithMemory(Op::kPwrite, [&] { return overlay_->Write(at, data, size, rules); });
  }
  Moved Discard(MediumOffset at, uint64_t size, const PieceRules& rules) override {
    return WithMemory(Op::kDiscard, [&] { return overlay_->Discard(at, size, rules); });
  }
  Moved Zero(MediumOffset at, uint64_t size, const PieceRules& rules) override {
    return WithMemory(Op::kZero, [&] { return overlay_->Zero(at, size, rules); });
  }
  MediumFeatures Features() override { return {true, true, true, false, overlay_->unit_size(), 1}; }
  Status Sync() override { return overlay_->Sync(); }
  Result<size_t> Extents(MediumSpan within, ExtentLayer layer, std::span<MediumExtent> found,
                         const PieceRules& rules) override {
    Result<size_t> count = Status{ENOMEM, Op::kStat};
    static_cast<void>(HadMemory([&] { count = overlay_->Extents(within, layer, found, rules); }));
    return count;
  }

 private:
  const std::shared_ptr<Qcow2Overlay> overlay_;
};

}  // namespace

std::string FormatName(const MediumIdentity& identity) {
  switch (static_cast<ImageFormat>(identity.format)) {
    case ImageFormat::kRaw: return "raw";
    case ImageFormat::kQcow2: return "qcow2";
    case ImageFormat::kVhd: return "vpc";
    case ImageFormat::kAuto: break;
  }
  return "";
}

Attachment Qcow2Overlay::Whole() {
  Attachment whole;
  whole.write = whole.lock = true;
  whole.range = {{0}, {kMaxSafeInteger}};
  return whole;
}

ImageChain Qcow2Overlay::ChainOver(const Medium& file, ReadCounts counts) {
  return {{file.identity()}, OpenImage, std::move(counts)};
}

Result<Qcow2Overlay::Opened> Qcow2Overlay::OpenOn(HostIo& host, Medium& file, const Qcow2OverlaySetting& setting,
                                                  GivenBacking given) {
  auto channel = file.Attach(Whole());
  if (!channel.ok()) return channel.status();
  Opened opened;
  opened.channel = std::make_unique<StickyChannel>(channel.Take());
  const auto open = [&]() -> Status {
    // Behind the lock: what the header says holds from here on.
    auto image = Qcow2Image::Create(host, file, ChainOver(file, setting.counts), true, std::move(given));
    if (!image.ok()) return image.status();
    opened.image = image.Take();
    const Backing* const backing = opened.image->backing();
    if (backing == nullptr || !(backing->medium().identity() == setting.base)) {
      return {ESTALE, Op::kOpen, Why::kOverlayOtherBase};
    }
    if (setting.size && *setting.size != opened.image->header().size) return {EINVAL, Op::kOpen, Why::kOverlaySize};
    auto writer = Qcow2Writer::Create(*opened.image, *opened.channel);
    if (!writer.ok()) return writer.status();
    opened.writer = writer.Take();
    return Status::Ok();
  };
  Status status = {ENOMEM, Op::kOpen};
  static_cast<void>(HadMemory([&] { status = open(); }));
  if (status.ok()) return opened;
  opened = {};
  // The error to tell is the first one.
  static_cast<void>(file.Detach(Whole()));
  return status;
}

Result<std::shared_ptr<Qcow2Overlay>> Qcow2Overlay::Open(HostIo& host, std::unique_ptr<Medium> file,
                                                         const Qcow2OverlaySetting& setting, GivenBacking given) {
  auto opened = OpenOn(host, *file, setting, std::move(given));
  if (opened.ok()) {
    return std::shared_ptr<Qcow2Overlay>(new Qcow2Overlay(host, std::move(file), opened.Take(), setting));
  }
  static_cast<void>(file->Close());
  return opened.status();
}

Qcow2Overlay::Qcow2Overlay(HostIo& host, std::unique_ptr<Medium> file, Opened opened,
                           const Qcow2OverlaySetting& setting)
    : Overlay(opened.image->header().size, setting.name, setting.sector),
      host_(host),
      file_(std::move(file)),
      unit_(opened.image->header().unit_size()),
      channel_(std::move(opened.channel)),
      image_(std::move(opened.image)),
      writer_(std::move(opened.writer)) {}

// All users have left before; but for one that was never handed out.
Qcow2Overlay::~Qcow2Overlay() {
  if (writer_) static_cast<void>(LetGo());
}

Status Qcow2Overlay::LetGo() {
  Status first = writer_->End();
  writer_.reset();
  image_.reset();
  channel_.reset();
  const Status detached = file_->Detach(Whole());
  if (first.ok()) first = detached;
  const Status closed = file_->Close();
  return first.ok() ? closed : first;
}

void Qcow2Overlay::AddBelow(std::vector<MediumIdentity>& found) {
  const FreezeGate::Pass pass(gate_);
  found.push_back(file_->identity());
  image_->backing()->AddBelow(found);
}

std::unique_ptr<Channel> Qcow2Overlay::MakeChannel(const std::shared_ptr<Overlay>& overlay) {
  return std::make_unique<Qcow2OverlayChannel>(std::static_pointer_cast<Qcow2Overlay>(overlay));
}

Moved Qcow2Overlay::Read(MediumOffset at, void* data, size_t size, const PieceRules& rules) {
  const FreezeGate::Pass pass(gate_, !rules.nowait);
  if (!pass) return {0, {EAGAIN, Op::kPread}};
  return image_->Read(*channel_, at.value, static_cast<uint8_t*>(data), size, rules);
}

// Marked before anything of it can be seen: a commit that runs copies it again.
Moved Qcow2Overlay::Write(MediumOffset at, const void* data, size_t size, const PieceRules& rules) {
  const FreezeGate::Pass pass(gate_);
  Mark(at.value, size);
  return writer_->Write(*channel_, at.value, static_cast<const uint8_t*>(data), size, rules);
}

Moved Qcow2Overlay::Discard(MediumOffset at, uint64_t size, const PieceRules& rules) {
  const FreezeGate::Pass pass(gate_);
  Mark(at.value, size);
  return writer_->Discard(*channel_, at.value, size, rules);
}

Moved Qcow2Overlay::Zero(MediumOffset at, uint64_t size, const PieceRules& rules) {
  const FreezeGate::Pass pass(gate_);
  Mark(at.value, size);
  return writer_->Zero(*channel_, at.value, size, rules);
}

Status Qcow2Overlay::Sync() {
  const FreezeGate::Pass pass(gate_);
  return writer_->Sync();
}

Result<size_t> Qcow2Overlay::Extents(MediumSpan within, ExtentLayer layer, std::span<MediumExtent> found,
                                     const PieceRules& rules) {
  const FreezeGate::Pass pass(gate_);
  return image_->Extents(*channel_, within, layer, found, rules);
}

}  // namespace blk
