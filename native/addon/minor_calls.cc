#include "addon/minor_calls.h"

#include <utility>
#include <vector>

#include "addon/outcome.h"
#include "addon/promise_call.h"
#include "addon/source.h"
#include "core/image/qcow2_create.h"
#include "core/medium/host_medium.h"

namespace blk_addon {

using Driver = const std::shared_ptr<DriverState>&;

// (offset, size, sector size) from argument `i` on; a negative size is TO_THE_END of lib/native/binding.ts.
blk::MediumRange RangeAt(const Args& args, size_t i) {
  blk::MediumRange range;
  range.offset = static_cast<uint64_t>(args.Int(i));
  if (args.Int(i + 1) >= 0) range.size = static_cast<uint64_t>(args.Int(i + 1));
  range.sector_size = static_cast<uint64_t>(args.Int(i + 2));
  return range;
}

namespace {

napi_value MinorOutcome(napi_env env, const blk::Result<int>& minor) {
  return minor.ok() ? ToNumber(env, minor.value()) : ToFailure(env, minor.status());
}

using Registered = blk::Result<std::vector<std::shared_ptr<blk::Minor>>>;

// NativeRegistered[] of lib/native/binding.ts in an object: an array is a failure.
napi_value PartitionsOutcome(napi_env raw, const Registered& partitions) {
  if (!partitions.ok()) return ToFailure(raw, partitions.status());
  const Napi::Env env(raw);
  Napi::Array list = Napi::Array::New(env, partitions.value().size());
  for (uint32_t i = 0; i < list.Length(); i++) {
    const blk::PartitionSpot& spot = *partitions.value()[i]->partition();
    Napi::Array row = Napi::Array::New(env, 6);
    row.Set(uint32_t{0}, partitions.value()[i]->index());
    row.Set(uint32_t{1}, spot.name);
    row.Set(uint32_t{2}, static_cast<double>(spot.start));
    row.Set(uint32_t{3}, static_cast<double>(spot.size));
    row.Set(uint32_t{4}, spot.scheme == blk::Scheme::kGpt ? blk::FormatGuid(spot.uuid) : "");
    row.Set(uint32_t{5}, Napi::String::New(env, spot.label));
    list.Set(i, row);
  }
  Napi::Object answer = Napi::Object::New(env);
  answer.Set("partitions", list);
  return answer;
}

}  // namespace

napi_value RegisterSync(const Args& args, Driver state) {
  return MinorOutcome(args.env(), Source::At(args, 0, 4).Register(state->driver, RangeAt(args, 1)));
}

napi_value Register(const Args& args, Driver state) {
  return Promise(
      args.env(), state,
      [state, source = Source::At(args, 0, 4), range = RangeAt(args, 1)](blk::Lane) {
        return source.Register(state->driver, range);
      },
      MinorOutcome);
}

napi_value RegisterPartitionSync(const Args& args, Driver state) {
  return MinorOutcome(args.env(), state->driver.RegisterPartition(static_cast<int>(args.Int(0)), args.Text(1)));
}

napi_value RegisterPartition(const Args& args, Driver state) {
  return Promise(
      args.env(), state,
      [state, of = static_cast<int>(args.Int(0)), name = args.Text(1)](blk::Lane) {
        return state->driver.RegisterPartition(of, name);
      },
      MinorOutcome);
}

napi_value RegisterPartitionsSync(const Args& args, Driver state) {
  return PartitionsOutcome(args.env(), state->driver.RegisterPartitions(static_cast<int>(args.Int(0))));
}

napi_value RegisterPartitions(const Args& args, Driver state) {
  return Promise(
      args.env(), state,
      [state, of = static_cast<int>(args.Int(0))](blk::Lane) { return state->driver.RegisterPartitions(of); },
      PartitionsOutcome);
}

namespace {

// A call of createQcow2, to be made on any thread.
auto Qcow2Maker(const Args& args) {
  blk::Qcow2Creation creation;
  creation.size = static_cast<uint64_t>(args.Int(1));
  creation.cluster_bits = static_cast<unsigned>(args.Int(2));
  creation.extended_l2 = args.Bool(3);
  creation.backing = args.Bytes(4);
  creation.backing_format = args.Text(5);
  return [path = args.Bytes(0), creation]() -> blk::Status {
    auto file = blk::HostMedium::Create(blk::PosixHostIo(), path);
    if (!file.ok()) return file.status();
    const blk::Status made = blk::CreateQcow2(*file.value(), creation);
    const blk::Status closed = file.value()->Close();
    return made.ok() ? closed : made;
  };
}

}  // namespace

napi_value CreateQcow2Sync(const Args& args, Driver) { return ToOutcome(args.env(), Qcow2Maker(args)()); }

napi_value CreateQcow2(const Args& args, Driver state) {
  return Promise(
      args.env(), state, [make = Qcow2Maker(args)](blk::Lane) { return make(); },
      [](napi_env env, const blk::Status& made) { return ToOutcome(env, made); });
}

napi_value Deregister(const Args& args, Driver state) {
  return ToOutcome(args.env(), state->driver.Deregister(static_cast<int>(args.Int(0))));
}

napi_value Minors(const Args& args, Driver state) {
  const Napi::Env env(args.env());
  const std::vector<blk::MinorInfo> list = state->driver.Minors();
  // NativeMinorInfo[] of lib/native/binding.ts: rows by position, as all that crosses.
  Napi::Array result = Napi::Array::New(env, list.size());
  for (uint32_t i = 0; i < list.size(); i++) {
    const blk::MinorInfo& info = list[i];
    Napi::Array row = Napi::Array::New(env, 8);
    row.Set(uint32_t{0}, info.minor);
    row.Set(uint32_t{1}, Napi::Buffer<char>::Copy(env, info.path.data(), info.path.size()));
    row.Set(uint32_t{2}, static_cast<double>(info.offset));
    row.Set(uint32_t{3}, static_cast<double>(info.size));
    row.Set(uint32_t{4}, static_cast<int>(info.kind));
    row.Set(uint32_t{5}, info.open_count);
    row.Set(uint32_t{6}, info.disk);
    row.Set(uint32_t{7}, info.partition);
    result.Set(i, row);
  }
  Napi::Object answer = Napi::Object::New(env);  // an array is a failure
  answer.Set("minors", result);
  return answer;
}

}  // namespace blk_addon
