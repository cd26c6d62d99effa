#include "addon/image_overlay_calls.h"

#include <optional>
#include <string>
#include <utility>

#include "addon/outcome.h"
#include "addon/overlay_calls.h"
#include "addon/promise_call.h"
#include "addon/source.h"
#include "core/image/backing.h"
#include "core/image/qcow2_create.h"
#include "core/image/qcow2_overlay.h"
#include "core/medium/host_medium.h"

namespace blk_addon {
namespace {

struct Wanted {
  std::string path;
  bool create = false;
  blk::Qcow2Creation creation;
  blk::Qcow2OverlaySetting setting;
};

struct Made {
  blk::Result<std::shared_ptr<blk::Qcow2Overlay>> overlay = blk::Status{ENOMEM, blk::Op::kOpen};
  bool of_base = false;  // what failed
};

// What is known of a base.
struct Base {
  blk::MediumIdentity identity;
  uint64_t size = 0;
  uint64_t sector = blk::kDevBsize;
  blk::ReadCounts counts;
};

Wanted WantedAt(const Args& args) {
  Wanted wanted;
  wanted.setting.name = args.Bytes(0);
  if (args.Int(1) >= 0) wanted.setting.size = static_cast<uint64_t>(args.Int(1));
  wanted.path = args.Bytes(2);
  wanted.create = args.Int(3) != 0;
  wanted.creation.cluster_bits = static_cast<unsigned>(args.Int(3));
  wanted.creation.extended_l2 = args.Bool(4);
  wanted.creation.backing = args.Bytes(5);
  return wanted;
}

blk::Result<Base> BaseOf(const blk::Medium& medium) {
  Base base;
  base.identity = medium.identity();
  if (!blk::HasName(base.identity)) return blk::Status{ENOTSUP, blk::Op::kOpen, blk::Why::kOverlayBase};
  if (!medium.size()) return blk::Status{EINVAL, blk::Op::kOpen};
  base.size = *medium.size();
  base.sector = medium.sector_size();
  return base;
}

blk::Status CreateImage(Wanted& wanted, const Base& base) {
  // Whole sectors: what an image has beyond them QEMU's programs do not see.
  wanted.creation.size = wanted.setting.size.value_or(blk::AlignUp(base.size, blk::kDevBsize));
  if (wanted.creation.size < base.size) return {EINVAL, blk::Op::kOpen};
  wanted.creation.backing_format = blk::FormatName(base.identity);
  auto file = blk::HostMedium::Create(blk::PosixHostIo(), wanted.path);
  if (!file.ok()) return file.status();
  const blk::Status made = blk::CreateQcow2(*file.value(), wanted.creation);
  const blk::Status closed = file.value()->Close();
  return made.ok() ? closed : made;
}

// `given`: the base, where it is an export.
Made OpenOver(const blk::Result<Base>& base, Wanted wanted, std::unique_ptr<blk::Medium> given = nullptr) {
  if (!base.ok()) return {base.status(), true};
  const blk::Status created = wanted.create ? CreateImage(wanted, base.value()) : blk::Status::Ok();
  if (!created.ok()) return {created};
  auto file = blk::HostMedium::Create(blk::PosixHostIo(), wanted.path);
  if (!file.ok()) return {file.status()};
  wanted.setting.base = base.value().identity;
  wanted.setting.sector = base.value().sector;
  wanted.setting.counts = base.value().counts;
  blk::GivenBacking export_given = {wanted.creation.backing, std::move(given)};
  return {blk::Qcow2Overlay::Open(blk::PosixHostIo(), file.Take(), wanted.setting, std::move(export_given))};
}

bool IsExport(const blk::Result<Base>& base) { return base.ok() && blk::IsExport(base.value().identity); }

napi_value ToMade(napi_env raw, const Made& made) {
  if (made.overlay.ok()) return OverlayObject(Napi::Env(raw), made.overlay.value(), 0);
  if (!made.of_base) return ToFailure(raw, made.overlay.status());
  Napi::Object failed = Napi::Object::New(Napi::Env(raw));
  failed.Set("base", ToFailure(raw, made.overlay.status()));
  return failed;
}

struct Info {
  blk::Status status;
  blk::Qcow2Header header;
  std::string base;
};

Info ReadInfo(const std::string& path) {
  auto file = blk::HostMedium::Create(blk::PosixHostIo(), path);
  if (!file.ok()) return {file.status(), {}, {}};
  const auto size = file.value()->SizeNow();
  blk::Result<blk::Qcow2Header> header =
      size.ok() ? blk::ReadQcow2Header(*file.value(), size.value()) : blk::Result<blk::Qcow2Header>(size.status());
  const blk::Status closed = file.value()->Close();
  if (!header.ok()) return {header.status(), {}, {}};
  return {closed, header.value(), blk::BackingPath(path, header.value().backing)};
}

napi_value ToInfo(napi_env raw, const Info& info) {
  if (!info.status.ok()) return ToFailure(raw, info.status);
  const Napi::Env env(raw);
  const auto bytes = [&](const std::string& text) { return Napi::Buffer<char>::Copy(env, text.data(), text.size()); };
  Napi::Object result = Napi::Object::New(env);
  result.Set("size", static_cast<double>(info.header.size));
  result.Set("clusterSize", static_cast<double>(info.header.cluster_size()));
  result.Set("blockSize", static_cast<double>(info.header.unit_size()));
  result.Set("backing", bytes(info.header.backing));
  result.Set("base", bytes(info.base));
  result.Set("format", info.header.backing_format);
  return result;
}

}  // namespace

napi_value ImageOverlayOfSource(const Args& args, const std::shared_ptr<DriverState>& driver) {
  return Promise(
      args.env(), driver,
      [wanted = WantedAt(args), source = Source::At(args, 6, 7)](blk::Lane) -> Made {
        auto medium = source.MakeMedium();
        if (!medium.ok()) return {medium.status(), true};
        const blk::Result<Base> base = BaseOf(*medium.value());
        if (IsExport(base)) return OpenOver(base, wanted, medium.Take());
        // Kept until the image has it, so that its path stands for the same file all the while.
        Made made = OpenOver(base, wanted);
        const blk::Status closed = medium.value()->Close();
        if (made.overlay.ok() && !closed.ok()) return {closed, true};
        return made;
      },
      ToMade);
}

napi_value ImageOverlayOfDevice(const Args& args, const std::shared_ptr<DeviceState>& device) {
  return Promise(
      args.env(), device,
      [wanted = WantedAt(args), core = device->device,
       counters = device->driver->driver.shared_counters()](blk::Lane) -> Made {
        const blk::Minor& minor = core->minor();
        auto base = BaseOf(minor.disk().medium());
        if (base.ok() && (minor.begin().value != 0 || minor.size() != base.value().size)) {
          base = blk::Status{ENOTSUP, blk::Op::kOpen, blk::Why::kOverlayBase};
        }
        if (base.ok()) base.value().counts = blk::ReadCounts(counters);
        if (!IsExport(base)) return OpenOver(base, wanted);
        auto again = minor.disk().medium().Again();
        if (!again.ok()) return {again.status(), true};
        return OpenOver(base, wanted, again.Take());
      },
      ToMade);
}

napi_value OverlayImageInfo(const Args& args, const std::shared_ptr<DriverState>& driver) {
  return Promise(
      args.env(), driver, [path = args.Bytes(0)](blk::Lane) { return ReadInfo(path); }, ToInfo);
}

}  // namespace blk_addon
