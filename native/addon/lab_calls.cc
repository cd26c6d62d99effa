// Recordings, as NativeLab of lib/native/binding.ts has them.
// Over 300 lines: one function for each of its calls.
#include <algorithm>
#include <cerrno>

#include "addon/define.h"
#include "addon/device_state.h"
#include "addon/edge.h"
#include "addon/lab_held.h"
#include "core/host/host_io.h"
#include "lab/legal.h"

namespace blk_addon {
namespace {

using blk::Status;
using blk::lab::Event;
using blk::lab::Kind;
using blk::lab::kNever;
using blk::lab::Recording;
using Devices = std::vector<std::shared_ptr<DeviceState>>;

constexpr size_t kEventNumbers = 13;
constexpr size_t kPartNumbers = 3;

Devices DevicesAt(const Args& args, size_t i) {
  Devices devices;
  const Napi::Array rows = Napi::Value(args.env(), args.at(i)).As<Napi::Array>();
  for (uint32_t at = 0; at < rows.Length(); at++) {
    void* target = nullptr;
    if (napi_get_value_external(args.env(), rows.Get(at), &target) != napi_ok) continue;
    devices.push_back(*static_cast<const std::shared_ptr<DeviceState>*>(target));
  }
  return devices;
}

// Adds a device, with its disk if that is not there. `disks`: those by domain.
Status AddDevice(Recording& recording, blk::Device& device, std::vector<blk::Disk*>& disks) {
  blk::Disk& disk = device.minor().disk();
  const auto known = std::find(disks.begin(), disks.end(), &disk);
  auto domain = static_cast<uint16_t>(known - disks.begin());
  if (known == disks.end()) {
    auto medium = disk.medium().Again();
    if (!medium.ok()) return medium.status();
    auto base = blk::lab::Base::Open(medium.Take(), disk.span());
    if (!base.ok()) return base.status();
    domain = recording.AddDomain(base.Take());
    disks.push_back(&disk);
  }
  return recording.AddPart({device.minor().span(), domain});
}

// By where the arguments are.
std::shared_ptr<Recording> NewRecording(const Args& args, size_t unit, size_t memory, size_t directory, bool compares) {
  Recording::Setting setting;
  setting.atomic_unit = static_cast<uint64_t>(args.Int(unit));
  setting.memory = static_cast<uint64_t>(args.Int(memory));
  setting.folder = args.Bytes(directory);
  setting.compares = compares;
  return std::make_shared<Recording>(blk::PosixHostIo(), std::move(setting));
}

// Adds all devices, which are to be open, and flushes them.
Status AddDevices(Recording& recording, const Devices& devices, std::vector<blk::Disk*>& disks) {
  for (const auto& device : devices) {
    if (!device->open()) return {EBADF, blk::Op::kTrack};
    if (device->device->mode() != blk::OpenMode::kReadWrite) return {EACCES, blk::Op::kTrack};
    if (device->device->minor().disk().log().live()) return {EBUSY, blk::Op::kTrack};
    const Status flushed = device->device->Flush(device->lane);
    if (!flushed.ok()) return flushed;
    const Status added = AddDevice(recording, *device->device, disks);
    if (!added.ok()) return added;
  }
  return Status::Ok();
}

// (devices, atomicUnit, leases, memory, directory) -> a recording, or a failure.
napi_value RecordWrites(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  const Devices devices = DevicesAt(args, 0);
  auto recording = NewRecording(args, 1, 3, 4, /*compares=*/args.Int(2) != 0);
  std::vector<blk::Disk*> disks;
  const Status added = AddDevices(*recording, devices, disks);
  if (!added.ok()) return ToFailure(env, added);
  std::vector<bool> logged(disks.size(), false);
  for (const auto& device : devices) {
    const auto domain =
        static_cast<size_t>(std::find(disks.begin(), disks.end(), &device->device->minor().disk()) - disks.begin());
    if (logged[domain]) continue;
    auto end = device->driver->driver.Log(*device->device, recording->LogOf(static_cast<uint16_t>(domain)));
    if (!end.ok()) return ToFailure(env, end.status());
    recording->OnEnd(end.Take());
    logged[domain] = true;
  }
  return ToExternal(env, std::make_unique<HeldRecording>(std::move(recording)));
}

// Adds each disk as a domain of its own, and its parts: rows of index of the disk, first byte, bytes.
Status AddParts(Recording& recording, const Devices& disks, Numbers rows) {
  std::vector<std::pair<uint16_t, blk::MediumOffset>> domains;
  for (const auto& held : disks) {
    if (!held->open()) return {EBADF, blk::Op::kTrack};
    const blk::Minor& minor = held->device->minor();
    auto medium = held->device->minor().disk().medium().Again();
    if (!medium.ok()) return medium.status();
    auto base = blk::lab::Base::Open(medium.Take(), held->device->minor().disk().span());
    if (!base.ok()) return base.status();
    domains.emplace_back(recording.AddDomain(base.Take()), minor.span().begin);
  }
  for (size_t i = 0; i + kPartNumbers <= rows.size; i += kPartNumbers) {
    const auto disk = static_cast<size_t>(rows.data[i]);
    if (disk >= domains.size()) return {EINVAL, blk::Op::kTrack};
    const uint64_t begin = domains[disk].second.value + static_cast<uint64_t>(rows.data[i + 1]);
    const uint64_t end = begin + static_cast<uint64_t>(rows.data[i + 2]);
    const Status added = recording.AddPart({{{begin}, {end}}, domains[disk].first});
    if (!added.ok()) return {EINVAL, blk::Op::kTrack};
  }
  return Status::Ok();
}

// (disks, parts, atomicUnit, memory, directory) -> a recording, or a failure.
napi_value RecordingOver(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  auto recording = NewRecording(args, 2, 3, 4, /*compares=*/false);
  const Status added = AddParts(*recording, DevicesAt(args, 0), NumbersAt(args, 1));
  if (!added.ok()) return ToFailure(env, added);
  return ToExternal(env, std::make_unique<HeldRecording>(std::move(recording)));
}

// (recording) -> of each device domain, first byte on its medium, bytes.
napi_value RecordingParts(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  std::vector<double> rows;
  for (const blk::lab::Part& part : HeldAt<HeldRecording>(args, 0).recording().parts()) {
    rows.push_back(Num(part.domain));
    rows.push_back(Num(part.span.begin.value));
    rows.push_back(Num(part.span.end.value - part.span.begin.value));
  }
  return ToNumbers(env, rows);
}

// (recording, event, data) -> 0, or a failure.
napi_value RecordingAdd(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  Recording& recording = HeldAt<HeldRecording>(args, 0).recording();
  const Numbers row = NumbersAt(args, 1);
  const ViewBytes data = args.View(2);
  const Status wrong{EINVAL, blk::Op::kTrack};
  if (row.size < kEventNumbers - 1) return ToFailure(env, wrong);
  for (size_t i = 0; i < kEventNumbers - 1; i++) {
    if (!(row.data[i] >= 0 && row.data[i] <= Num(blk::kMaxSafeInteger))) return ToFailure(env, wrong);
  }
  if (row.data[0] > 4 || row.data[1] >= Num(recording.parts().size()) || row.data[4] > 2) return ToFailure(env, wrong);
  const auto number = [&](size_t i) { return static_cast<uint64_t>(row.data[i]); };
  Event event;
  event.kind = static_cast<Kind>(number(0));
  event.device = static_cast<uint16_t>(number(1));
  if (event.writes()) event.at = recording.parts()[event.device].span.begin.value + number(2);
  event.length = event.writes() ? number(3) : 0;
  event.promise = static_cast<blk::lab::Promise>(number(4));
  event.begin = number(5);
  event.end = number(6) == 0 ? kNever : number(6);
  event.moved = event.writes() ? number(7) : 0;
  event.err = static_cast<int32_t>(number(8));
  event.begun_ns = number(9);
  event.ended_ns = number(10);
  event.stores = number(11) != 0;
  event.data = data.data;
  const bool lacks = event.kind == Kind::kWrite && data.size != event.length;
  if (lacks || event.begin == 0) return ToFailure(env, wrong);
  return ToOutcome(env, recording.Add(event));
}

napi_value RecordMark(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  return ToNumber(env, Num(HeldAt<HeldRecording>(args, 0).recording().Mark()));
}

napi_value RecordStack(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  HeldAt<HeldRecording>(args, 0).recording().SetStack(static_cast<int32_t>(args.Int(1)));
  return nullptr;
}

napi_value RecordStop(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  return ToOutcome(env, HeldAt<HeldRecording>(args, 0).recording().Stop());
}

// (recording) -> eight numbers, the last one a boolean; or a failure.
napi_value RecordingInfo(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  Recording& recording = HeldAt<HeldRecording>(args, 0).recording();
  recording.Compare();
  const Status status = recording.status();
  if (!status.ok()) return ToFailure(env, status);
  Napi::Array row = Napi::Array::New(env, 8);
  if (row.IsEmpty()) return nullptr;
  const double numbers[] = {
      Num(recording.requests()),           Num(recording.marks()),           Num(recording.end()),
      Num(recording.store().bytes()),      Num(recording.store().spilled()), Num(recording.parts().size()),
      Num(recording.setting().atomic_unit)};
  uint32_t at = 0;
  for (const double number : numbers) row.Set(at++, number);
  row.Set(at, recording.misses_stores());
  return row;
}

void FillIn(const Recording& recording, const Event& event, double* row) {
  const uint64_t begin = event.writes() ? recording.parts()[event.device].span.begin.value : 0;
  const double numbers[kEventNumbers] = {static_cast<double>(event.kind),
                                         Num(event.device),
                                         Num(event.at - begin),
                                         Num(event.length),
                                         static_cast<double>(event.promise),
                                         Num(event.begin),
                                         event.end == kNever ? 0 : Num(event.end),
                                         Num(event.moved),
                                         static_cast<double>(event.err),
                                         Num(event.begun_ns),
                                         Num(event.ended_ns),
                                         event.stores ? 1.0 : 0.0,
                                         static_cast<double>(event.stack)};
  std::copy(std::begin(numbers), std::end(numbers), row);
}

// (recording, from, into) -> how many.
napi_value RecordedEvents(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  HeldRecording& held = HeldAt<HeldRecording>(args, 0);
  const auto model = held.Model();
  if (!model.ok()) return ToFailure(env, model.status());
  const auto& events = model.value()->events();
  const auto from = std::min(static_cast<size_t>(args.Int(1)), events.size());
  const Numbers into = NumbersAt(args, 2);
  const size_t count = std::min(into.size / kEventNumbers, events.size() - from);
  for (size_t i = 0; i < count; i++) FillIn(held.recording(), events[from + i], into.data + i * kEventNumbers);
  return ToCount(env, count);
}

// (recording, index) -> a copy of what was written, or a failure.
napi_value RecordedData(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  const auto model = HeldAt<HeldRecording>(args, 0).Model();
  if (!model.ok()) return ToFailure(env, model.status());
  const auto index = static_cast<size_t>(args.Int(1));
  if (index >= model.value()->events().size()) return ToFailure(env, {EINVAL, blk::Op::kTrack});
  const Event& event = model.value()->events()[index];
  const size_t size = event.data == nullptr ? 0 : static_cast<size_t>(event.length);
  return Napi::Buffer<uint8_t>::Copy(env, event.data, size);
}

// (recording, device, position, into) -> 0, or a failure.
napi_value RecordingBase(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  Recording& recording = HeldAt<HeldRecording>(args, 0).recording();
  const auto device = static_cast<size_t>(args.Int(1));
  const auto position = static_cast<uint64_t>(args.Int(2));
  const ViewBytes into = args.View(3);
  if (device >= recording.parts().size()) return ToFailure(env, {EINVAL, blk::Op::kTrack});
  const blk::MediumSpan& span = recording.parts()[device].span;
  const uint64_t size = span.end.value - span.begin.value;
  if (position > size || into.size > size - position) return ToFailure(env, {EINVAL, blk::Op::kTrack});
  return ToOutcome(env,
                   recording.BaseOf(recording.parts()[device]).Read(span.begin.value + position, into.data, into.size));
}

// (recording, index) -> another one.
napi_value RecordingWithout(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  const HeldRecording& held = HeldAt<HeldRecording>(args, 0);
  return ToExternal(env, std::make_unique<HeldRecording>(held, static_cast<uint32_t>(args.Int(1))));
}

// (recording, other, cut) -> an index, or -1; or a failure.
napi_value RecordingDiffers(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  const auto a = HeldAt<HeldRecording>(args, 0).Model();
  const auto b = HeldAt<HeldRecording>(args, 1).Model();
  if (!a.ok()) return ToFailure(env, a.status());
  if (!b.ok()) return ToFailure(env, b.status());
  const auto at = blk::lab::DifferOf(*a.value(), *b.value(), static_cast<uint64_t>(args.Int(2)));
  return ToNumber(env, at ? Num(*at) : -1);
}

// (recording, images, cut) -> whether they are legal, or a failure.
napi_value IsLegalImage(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  const auto model = HeldAt<HeldRecording>(args, 0).Model();
  if (!model.ok()) return ToFailure(env, model.status());
  std::vector<std::span<const uint8_t>> images;
  const Napi::Array list = Napi::Value(env, args.at(1)).As<Napi::Array>();
  for (uint32_t i = 0; i < list.Length(); i++) {
    const ViewBytes image = BytesOf(env, list.Get(i));
    images.emplace_back(image.data, image.size);
  }
  const auto legal = blk::lab::IsLegal(*model.value(), images, static_cast<uint64_t>(args.Int(2)));
  if (!legal.ok()) return ToFailure(env, legal.status());
  return Napi::Boolean::New(env, legal.value());
}

}  // namespace

void DefineLabCalls(napi_env env, napi_value exports) {
  DefineFunction(env, exports, "recordWrites", Edge<RecordWrites>);
  DefineFunction(env, exports, "recordingOver", Edge<RecordingOver>);
  DefineFunction(env, exports, "recordingParts", Edge<RecordingParts>);
  DefineFunction(env, exports, "recordingAdd", Edge<RecordingAdd>);
  DefineFunction(env, exports, "recordMark", Edge<RecordMark>);
  DefineFunction(env, exports, "recordStack", Edge<RecordStack>);
  DefineFunction(env, exports, "recordStop", Edge<RecordStop>);
  DefineFunction(env, exports, "recordingInfo", Edge<RecordingInfo>);
  DefineFunction(env, exports, "recordedEvents", Edge<RecordedEvents>);
  DefineFunction(env, exports, "recordedData", Edge<RecordedData>);
  DefineFunction(env, exports, "recordingBase", Edge<RecordingBase>);
  DefineFunction(env, exports, "recordingWithout", Edge<RecordingWithout>);
  DefineFunction(env, exports, "recordingDiffers", Edge<RecordingDiffers>);
  DefineFunction(env, exports, "isLegal", Edge<IsLegalImage>);
  DefineChoiceCalls(env, exports);
}

}  // namespace blk_addon
