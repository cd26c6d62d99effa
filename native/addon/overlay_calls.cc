#include "addon/overlay_calls.h"

#include <array>
#include <atomic>
#include <string>
#include <utility>

#include "addon/define.h"
#include "addon/edge.h"
#include "addon/medium_owner.h"
#include "addon/outcome.h"
#include "addon/promise_call.h"
#include "addon/source.h"
#include "core/medium/overlay_medium.h"
#include "core/medium/overlay_store.h"

namespace blk_addon {
namespace {

using Store = std::shared_ptr<blk::Overlay>;
using Device = const std::shared_ptr<DeviceState>&;

// ---- making one

struct Wanted {
  std::string name;
  blk::OverlaySetting setting;
};

Wanted WantedAt(const Args& args) {
  Wanted wanted;
  wanted.name = args.Bytes(0);
  if (args.Int(1) >= 0) wanted.setting.size = static_cast<uint64_t>(args.Int(1));
  wanted.setting.block = static_cast<uint64_t>(args.Int(2));
  const std::string folder = args.Bytes(3);
  if (!folder.empty()) wanted.setting.delta = {&blk::PosixHostIo(), folder};
  return wanted;
}

napi_value ToOverlay(napi_env raw, const blk::Result<Store>& store) {
  if (!store.ok()) return ToFailure(raw, store.status());
  return OverlayObject(Napi::Env(raw), store.value(), kOverlayWeight);
}

blk::Result<Store> Create(blk::OverlayBase base, const Wanted& wanted) {
  auto made = blk::OverlayStore::Create(std::move(base), wanted.name, wanted.setting);
  if (!made.ok()) return made.status();
  return Store(made.Take());
}

blk::Result<Store> Over(blk::Result<std::unique_ptr<blk::Medium>> medium, Wanted wanted) {
  if (!medium.ok()) return medium.status();
  const auto size = medium.value()->size();
  if (!size) return blk::Status{EINVAL, blk::Op::kOpen};
  wanted.setting.sector = medium.value()->sector_size();
  return Create(blk::OverlayBase(medium.Take(), {0}, *size), wanted);
}

// ---- freeze points

const Store& StoreAt(const Args& args) { return MediumOwnerAt(args, 0)->overlay; }

napi_value StatusOutcome(napi_env env, const blk::Status& status) { return ToOutcome(env, status); }

void FreeSnapshot(napi_env, void* data, void*) {
  const std::unique_ptr<blk::OverlaySnapshot> snapshot(static_cast<blk::OverlaySnapshot*>(data));
}

napi_value ToSnapshot(napi_env raw, const blk::Result<blk::OverlaySnapshot>& taken) {
  if (!taken.ok()) return ToFailure(raw, taken.status());
  const Napi::Env env(raw);
  auto snapshot = std::make_unique<blk::OverlaySnapshot>(taken.value());
  napi_value external = nullptr;
  if (napi_create_external(env, snapshot.get(), FreeSnapshot, nullptr, &external) != napi_ok) return nullptr;
  static_cast<void>(snapshot.release());  // the external's
  Napi::Object made = Napi::Object::New(env);
  made.Set("snapshot", external);
  return made;
}

// Extents that cross at once.
constexpr size_t kExtents = 1024;

struct Differences {
  blk::Result<blk::Overlay::Changed> changed = blk::Overlay::Changed();
  std::array<blk::MediumExtent, kExtents> extents;
};

// {next, extents: position, length and type of each}
napi_value ToDifferences(napi_env raw, const std::unique_ptr<Differences>& found) {
  if (!found->changed.ok()) return ToFailure(raw, found->changed.status());
  const Napi::Env env(raw);
  const auto& [count, next] = found->changed.value();
  Napi::Float64Array rows = Napi::Float64Array::New(env, count * 3);
  if (rows.IsEmpty()) return nullptr;  // the thread is being terminated
  for (size_t i = 0; i < count; i++) {
    rows[i * 3] = static_cast<double>(found->extents[i].at.value);
    rows[i * 3 + 1] = static_cast<double>(found->extents[i].size);
    rows[i * 3 + 2] = static_cast<double>(found->extents[i].type);
  }
  Napi::Object answer = Napi::Object::New(env);
  answer.Set("next", static_cast<double>(next));
  answer.Set("extents", rows);
  return answer;
}

napi_value OverlayRelease(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  if (MediumOwner* const owner = MediumOwnerAt(args, 0)) ForgetOverlay(env, *owner);
  return nullptr;
}

napi_value OverlayOpened(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  if (MediumOwner* const owner = MediumOwnerAt(args, 0)) HandOverOverlay(*owner);
  return nullptr;
}

// A commit, which can be called off.
class CommitCall final : public PendingCall, public Cancellable {
 public:
  CommitCall(napi_env env, Device device, Store store, uint64_t token)
      : PendingCall(env, *EnvState::Of(env).completion), under_way_(device, token, this), store_(std::move(store)) {}

  bool Prepare(blk::AlignedBuffer) override { return !taken_back(); }
  // At once while it waits, after the current step when it runs.
  void Cancel(napi_env env) override {
    // Relaxed: the flag carries nothing but itself, and the worker may see it late.
    cancel_.store(true, std::memory_order_relaxed);
    static_cast<void>(GiveUp(env, {ECANCELED, blk::Op::kPwrite}));
  }

 private:
  void Work(blk::IoWorker& worker) override {
    worker.WillBlock();
    written_ = store_->Commit(&cancel_);
  }
  napi_value Settle(napi_env env) override {
    if (!written_.ok()) return ToFailure(env, written_.status());
    return ToNumber(env, static_cast<double>(written_.value()));
  }
  void Done() override { under_way_.End(); }

  DeviceCall under_way_;
  const Store store_;
  blk::Result<uint64_t> written_ = uint64_t{0};
  std::atomic<bool> cancel_{false};
};

}  // namespace

Napi::Object OverlayObject(Napi::Env env, const std::shared_ptr<blk::Overlay>& overlay, int64_t weight) {
  auto owner = std::make_unique<MediumOwner>();
  owner->overlay = overlay;
  owner->uses_overlay = true;
  owner->make = [overlay] { return NewMedium(std::make_unique<blk::OverlayMedium>(overlay)); };
  owner->weight = weight;
  Napi::Object made = Napi::Object::New(env);  // an array is a failure
  made.Set("medium", ToMediumExternal(env, std::move(owner)));
  made.Set("size", static_cast<double>(overlay->size));
  return made;
}

napi_value OverlayOfSource(const Args& args, const std::shared_ptr<DriverState>& driver) {
  return Promise(
      args.env(), driver,
      [wanted = WantedAt(args), source = Source::At(args, 4, 5)](blk::Lane) {
        return Over(source.MakeMedium(), wanted);
      },
      ToOverlay);
}

napi_value OverlayOfDevice(const Args& args, Device device) {
  return Promise(
      args.env(), device,
      [wanted = WantedAt(args), core = device->device,
       counters = device->driver->driver.shared_counters()](blk::Lane) mutable -> blk::Result<Store> {
        const blk::Minor& minor = core->minor();
        auto medium = minor.disk().medium().Again();
        if (!medium.ok()) return medium.status();
        wanted.setting.sector = minor.disk().sector_size();
        return Create(blk::OverlayBase(medium.Take(), minor.begin(), minor.size(), blk::ReadCounts(counters)), wanted);
      },
      ToOverlay);
}

// `change()` gives the overlay of `device` another content, all at once.
template <typename Change>
blk::Status Marked(blk::Device& device, Change&& change) {
  device.MarkAll();
  const blk::Status status = change();
  device.MarkAll();
  return status;
}

napi_value OverlayReset(const Args& args, Device device) {
  return Promise(
      args.env(), device,
      [core = device->device, store = StoreAt(args)](blk::Lane) {
        return Marked(*core, [&] { return store->Reset(); });
      },
      StatusOutcome);
}

napi_value OverlaySnapshot(const Args& args, Device device) {
  return Promise(
      args.env(), device, [store = StoreAt(args)](blk::Lane) { return store->Snapshot(); }, ToSnapshot);
}

napi_value OverlayRevert(const Args& args, Device device) {
  void* snapshot = nullptr;
  if (napi_get_value_external(args.env(), args.at(1), &snapshot) != napi_ok) return nullptr;
  return Promise(
      args.env(), device,
      [core = device->device, store = StoreAt(args), to = *static_cast<blk::OverlaySnapshot*>(snapshot)](blk::Lane) {
        return Marked(*core, [&] { return store->Revert(to); });
      },
      StatusOutcome);
}

napi_value OverlayCommit(const Args& args, Device device) {
  return device->Submit(
      std::make_unique<CommitCall>(args.env(), device, StoreAt(args), static_cast<uint64_t>(args.Int(1))));
}

napi_value OverlayRebase(const Args& args, Device device) {
  return Promise(
      args.env(), device,
      [core = device->device, store = StoreAt(args), source = Source::At(args, 1, 3), safe = args.Bool(2),
       name = args.Bytes(4)](blk::Lane) {
        auto medium = source.MakeMedium();
        if (!medium.ok()) return medium.status();
        if (safe) return store->Rebase(medium.Take(), name, safe);
        return Marked(*core, [&] { return store->Rebase(medium.Take(), name, safe); });
      },
      StatusOutcome);
}

napi_value OverlayDiff(const Args& args, Device device) {
  return Promise(
      args.env(), device,
      [store = StoreAt(args), from = static_cast<uint64_t>(args.Int(1)), exact = args.Bool(2)](blk::Lane) {
        auto found = std::make_unique<Differences>();
        found->changed = store->Diff(from, exact, found->extents);
        return found;
      },
      ToDifferences);
}

void DefineOverlayFunctions(Napi::Env env, Napi::Object exports) {
  DefineFunction(env, exports, "overlayOpened", Edge<OverlayOpened>);
  DefineFunction(env, exports, "overlayRelease", Edge<OverlayRelease>);
}

}  // namespace blk_addon
