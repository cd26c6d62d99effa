#include "addon/nbd_calls.h"

#include <chrono>
#include <utility>

#include "addon/define.h"
#include "addon/edge.h"
#include "addon/env_state.h"
#include "addon/medium_owner.h"
#include "addon/outcome.h"

namespace blk_addon {
namespace {

using blk::nbd::NbdStore;

// Of an object of ours that weighs next to nothing, apart from its buffers.
constexpr int64_t kNbdWeight = int64_t{1} << 20;

std::chrono::milliseconds Milliseconds(const Args& args, size_t i) { return std::chrono::milliseconds(args.Int(i)); }

void OnCleanup(void* shared) { static_cast<NbdShared*>(shared)->Shutdown(); }

using EventsOwner = std::shared_ptr<NbdEvents>;

void OnEventsCleanup(void* data) {
  const std::unique_ptr<EventsOwner> events(static_cast<EventsOwner*>(data));
  (*events)->End();
}

void FreeEvents(napi_env, void* data, void*) { delete static_cast<EventsOwner*>(data); }

// (function) -> an external, for nbdMedium(). Once for each copy of lib in the environment.
napi_value MakeNbdEvents(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  EnvState& state = EnvState::Of(env);
  // After a thread-safe function was made: its hook runs while that still exists.
  EventsOwner events;
  if (state.nbd == nullptr) {
    state.nbd = std::make_unique<NbdShared>(env, args.at(0));
    events = state.nbd->events();
    napi_add_env_cleanup_hook(env, OnCleanup, state.nbd.get());
  } else {
    events = std::make_shared<NbdEvents>(env, args.at(0));
    napi_add_env_cleanup_hook(env, OnEventsCleanup, new EventsOwner(events));
  }
  auto owner = std::make_unique<EventsOwner>(std::move(events));
  napi_value external = nullptr;
  if (napi_create_external(env, owner.get(), FreeEvents, nullptr, &external) != napi_ok) return nullptr;
  static_cast<void>(owner.release());  // the external's
  return external;
}

EventsOwner EventsAt(const Args& args, size_t i) {
  void* events = nullptr;
  napi_get_value_external(args.env(), args.at(i), &events);
  return *static_cast<EventsOwner*>(events);
}

// (id, name, path, host, port, export, connections, reconnect, requestTimeout, connectTimeout, extentsCache,
// events) -> an external. Times in milliseconds.
napi_value MakeNbdMedium(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  NbdShared& shared = *EnvState::Of(env).nbd;
  blk::nbd::NbdSetting setting;
  setting.name = args.Bytes(1);
  blk::nbd::ClientOptions& client = setting.client;
  client.address.path = args.Bytes(2);
  client.address.host = args.Bytes(3);
  client.address.port = static_cast<uint16_t>(args.Int(4));
  client.name = args.Bytes(5);
  client.connections = static_cast<unsigned>(args.Int(6));
  client.reconnect = Milliseconds(args, 7);
  client.request_timeout = Milliseconds(args, 8);
  client.connect_timeout = Milliseconds(args, 9);
  client.on_state = [id = args.Number(0), events = EventsAt(args, 11)](
                        blk::nbd::ClientState state, blk::Status reason) { events->Tell(id, state, reason); };
  setting.keeps_extents = args.Bool(10);
  // Of one place and name, whatever else was asked for.
  setting.common = shared.CommonOf(client);
  const auto store = std::make_shared<NbdStore>(std::move(setting));
  shared.Track(store);
  auto owner = std::make_unique<MediumOwner>();
  owner->make = [store] { return blk::nbd::NbdMedium::Create(store); };
  owner->nbd = store;
  owner->weight = kNbdWeight;
  return ToMediumExternal(env, std::move(owner));
}

// (medium) -> [state, size, connections, losses, reconnects, flags, minimum, preferred, maximum]; size -1 and zeros
// behind it until it was connected once.
napi_value NbdState(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  const blk::nbd::NbdStatistics now = MediumOwnerAt(args, 0)->nbd->Statistics();
  const auto facts = now.facts.value_or(blk::nbd::ExportFacts());
  const double size = now.facts ? static_cast<double>(facts.reach()) : -1;
  Napi::Array state = Napi::Array::New(env);
  uint32_t at = 0;
  for (const double value : {static_cast<double>(now.state), size, static_cast<double>(now.connections),
                             static_cast<double>(now.losses), static_cast<double>(now.reconnects),
                             static_cast<double>(facts.flags), static_cast<double>(facts.blocks.minimum),
                             static_cast<double>(facts.blocks.preferred), static_cast<double>(facts.blocks.maximum)}) {
    state.Set(at++, value);
  }
  return state;
}

}  // namespace

void DefineNbdFunctions(Napi::Env env, Napi::Object exports) {
  DefineFunction(env, exports, "nbdEvents", Edge<MakeNbdEvents>);
  DefineFunction(env, exports, "nbdMedium", Edge<MakeNbdMedium>);
  DefineFunction(env, exports, "nbdState", Edge<NbdState>);
}

}  // namespace blk_addon
