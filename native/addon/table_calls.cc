#include "addon/table_calls.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "addon/define.h"
#include "addon/edge.h"
#include "addon/label_object.h"
#include "addon/outcome.h"
#include "addon/promise_call.h"
#include "addon/table_object.h"
#include "core/device/label_ioctl.h"
#include "core/device/table_ioctl.h"
#include "core/device/wedges.h"

namespace blk_addon {
namespace {

using Device = const std::shared_ptr<DeviceState>&;
using FoundLabel = blk::Found<std::optional<blk::PlacedLabel>>;
using FoundContent = blk::Found<std::optional<blk::ContentIdentity>>;
using FoundTables = blk::Found<blk::VersionedTable>;

napi_value ToValue(napi_env env, const FoundLabel& answer) {
  const auto& outcome = answer.outcome;
  if (!outcome.ok()) return ToFailure(env, outcome.status(), {.injected = answer.injected});
  // Not a failure: null says that the device was read and has none.
  if (!outcome.value()) return Napi::Env(env).Null();
  const blk::FoundLabel& found = outcome.value()->found;
  Napi::Object pair = Napi::Object::New(env);
  pair.Set("label", LabelToArray(env, found.decoded));
  pair.Set("position", static_cast<double>(found.position));
  return pair;
}

napi_value ToValue(napi_env env, const FoundContent& answer) {
  const auto& outcome = answer.outcome;
  if (!outcome.ok()) return ToFailure(env, outcome.status(), {.injected = answer.injected});
  if (!outcome.value()) return Napi::Env(env).Null();
  // In an object: an array by itself would look like a failure to lib.
  Napi::Object object = Napi::Object::New(env);
  object.Set("content", ContentToArray(env, *outcome.value()));
  return object;
}

napi_value ToValue(napi_env env, const FoundTables& answer) {
  const auto& outcome = answer.outcome;
  if (!outcome.ok()) return ToFailure(env, outcome.status(), {.injected = answer.injected});
  if (!outcome.value().table) return Napi::Env(env).Null();
  Napi::Object object = TableToObject(env, *outcome.value().table);
  object.Set("version", static_cast<double>(outcome.value().version));
  return object;
}

// Rows that are no table, which lib lets nobody hand over.
constexpr blk::Status kNoTable{EINVAL, blk::Op::kIoctl};

// A table on its way to the medium, and what came of it: names and verdicts are filled in on the way.
struct Written {
  Written(blk::PartitionTable table, bool planned) : table(std::move(table)), planned(planned) {}
  blk::PartitionTable table;
  bool planned = false;  // a dry run
  blk::Status status;
};

Written Write(blk::Device& device, blk::PartitionTable table, blk::Overwrite overwrite, const blk::TableChange& change,
              blk::Lane lane) {
  Written written(std::move(table), change.dry_run);
  written.status = blk::WriteTable(device, written.table, lane, overwrite, change);
  return written;
}

// (version or -1, dry run) from argument 2 on.
blk::TableChange ChangeOf(const Args& args) {
  blk::TableChange change;
  if (args.Int(2) >= 0) change.version = static_cast<uint64_t>(args.Int(2));
  change.dry_run = args.Bool(3);
  return change;
}

napi_value ToValue(napi_env env, const Written& written) {
  Napi::Object result = Napi::Object::New(env);
  result.Set("outcome", Napi::Value(env, ToOutcome(env, written.status)));
  result.Set("faults", FaultsToObject(env, written.table));
  // Only a plan is looked at again; what was written is read.
  if (written.planned && written.status.ok()) result.Set("table", TableToObject(env, written.table));
  return result;
}

// The second argument of writeTable and writeTableSync.
blk::Overwrite OverwriteOf(const Args& args) { return args.Bool(1) ? blk::Overwrite::kAllow : blk::Overwrite::kRefuse; }

// (view, offset) -> NativeLabel
napi_value DecodeLabel(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  const ViewBytes view = args.View(0);
  // A short view is a truncated label, which the decoder has a verdict for.
  const size_t offset = std::min<size_t>(static_cast<size_t>(args.Int(1)), view.size);
  return LabelToArray(env, blk::DecodeLabel(view.data + offset, view.size - offset));
}

// (numbers, names, order, into)
napi_value EncodeLabel(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  const auto order = static_cast<blk::ByteOrder>(args.Int(2));
  blk::DiskLabel label = LabelOf(args.View(0), args.View(1));
  label.checksum = 0;
  label.checksum = blk::LabelChecksum(label, order);
  const blk::EncodedLabel bytes = blk::EncodeLabel(label, order);
  const ViewBytes into = args.View(3);
  // `into` may have been taken away: what is left of it is filled.
  std::copy_n(bytes.begin(), std::min(bytes.size(), into.size), into.data);
  return nullptr;
}

}  // namespace

napi_value FindLabelSync(const Args& args, Device device) {
  return ToValue(args.env(), blk::FindDeviceLabel(*device->device, device->lane));
}

napi_value FindLabel(const Args& args, Device device) {
  return Promise(
      args.env(), device, [core = device->device](blk::Lane lane) { return blk::FindDeviceLabel(*core, lane); },
      [](napi_env env, const FoundLabel& answer) { return ToValue(env, answer); });
}

napi_value ReadTableSync(const Args& args, Device device) {
  return ToValue(args.env(), blk::ReadTables(*device->device, args.Bool(0), device->lane));
}

napi_value ReadTable(const Args& args, Device device) {
  return Promise(
      args.env(), device,
      [core = device->device, probe = args.Bool(0)](blk::Lane lane) { return blk::ReadTables(*core, probe, lane); },
      [](napi_env env, const FoundTables& answer) { return ToValue(env, answer); });
}

napi_value IdentifyContent(const Args& args, Device device) {
  return Promise(
      args.env(), device, [core = device->device](blk::Lane lane) { return blk::IdentifyDevice(*core, lane); },
      [](napi_env env, const FoundContent& answer) { return ToValue(env, answer); });
}

napi_value WriteTableSync(const Args& args, Device device) {
  auto table = TableOf(args.env(), args.at(0));
  if (!table) return ToFailure(args.env(), kNoTable);
  const blk::TableChange change = ChangeOf(args);
  return ToValue(args.env(), Write(*device->device, std::move(*table), OverwriteOf(args), change, device->lane));
}

napi_value WriteTable(const Args& args, Device device) {
  auto table = TableOf(args.env(), args.at(0));
  if (!table) return ToFailure(args.env(), kNoTable);
  return Promise(
      args.env(), device,
      // Once: the table goes on into the outcome.
      [core = device->device, table = std::move(*table), overwrite = OverwriteOf(args), change = ChangeOf(args)](
          blk::Lane lane) mutable { return Write(*core, std::move(table), overwrite, change, lane); },
      [](napi_env env, const Written& written) { return ToValue(env, written); });
}

napi_value SetLabel(const Args& args, Device device) {
  const auto write = args.Bool(2) ? blk::LabelWrite::kToMedium : blk::LabelWrite::kInMemory;
  blk::Verdicts faults;
  const blk::Status status = blk::SetLabel(*device->device, LabelOf(args.View(0), args.View(1)), write, &faults);
  Napi::Object result = Napi::Object::New(args.env());
  result.Set("outcome", Napi::Value(args.env(), ToOutcome(args.env(), status)));
  result.Set("faults", LabelFaultsToObject(args.env(), faults));
  return result;
}

napi_value Wedges(const Args& args, Device device) {
  const blk::Minor& minor = device->device->minor();
  // One list for both, so that lib reads one shape.
  std::vector<blk::Wedge> list;
  if (args.Bool(0)) {
    auto all = blk::ListWedges(minor);
    if (!all.ok()) return ToFailure(args.env(), all.status());
    list = all.Take();
  } else {
    auto own = blk::GetWedge(minor);
    if (!own.ok()) return ToFailure(args.env(), own.status());
    list.push_back(own.Take());
  }
  return WedgesToArray(args.env(), list);
}

void DefineLabelFunctions(Napi::Env env, Napi::Object exports) {
  DefineFunction(env, exports, "decodeLabel", Edge<DecodeLabel>);
  DefineFunction(env, exports, "encodeLabel", Edge<EncodeLabel>);
}

}  // namespace blk_addon
