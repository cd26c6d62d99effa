#include "addon/nbd_shared.h"

#include <iterator>
#include <utility>

#include "addon/outcome.h"
#include "core/base/no_memory.h"

namespace blk_addon {

NbdEvents::NbdEvents(napi_env env, napi_value function) {
  napi_value name = nullptr;
  napi_create_string_utf8(env, "rumpblk nbd", NAPI_AUTO_LENGTH, &name);
  blk::MutexLock lock(mu_);
  // Its queue is unbounded (0), and one thread counts as its user (1): this object, until End().
  napi_create_threadsafe_function(env, function, nullptr, name, 0, 1, nullptr, nullptr, nullptr, OnEvent, &function_);
  // What a connection has to tell keeps no process alive.
  napi_unref_threadsafe_function(env, function_);
}

void NbdEvents::Tell(double id, blk::nbd::ClientState state, blk::Status reason) {
  std::unique_ptr<Event> event;
  // Without memory for it the event is not told; the state can be asked for.
  if (!blk::HadMemory([&] { event.reset(new Event{id, state, reason}); })) return;
  blk::MutexLock lock(mu_);
  if (function_ == nullptr) return;
  if (napi_call_threadsafe_function(function_, event.get(), napi_tsfn_nonblocking) != napi_ok) return;
  static_cast<void>(event.release());  // OnEvent()'s
}

void NbdEvents::End() {
  blk::MutexLock lock(mu_);
  if (function_ == nullptr) return;
  static_cast<void>(napi_release_threadsafe_function(std::exchange(function_, nullptr), napi_tsfn_abort));
}

void NbdEvents::OnEvent(napi_env env, napi_value function, void*, void* data) {
  const std::unique_ptr<Event> event(static_cast<Event*>(data));
  if (env == nullptr) return;
  napi_value undefined = nullptr;
  napi_get_undefined(env, &undefined);
  const bool failed = event->state != blk::nbd::ClientState::kConnected && !event->reason.ok();
  napi_value given[] = {ToNumber(env, event->id), ToNumber(env, static_cast<double>(event->state)),
                        failed ? ToFailure(env, event->reason) : undefined};
  // What a listener throws is the runtime's.
  napi_call_function(env, undefined, function, std::size(given), given, nullptr);
}

std::shared_ptr<blk::nbd::NbdCommon> NbdShared::CommonOf(const blk::nbd::ClientOptions& options) {
  const blk::SocketAddress& address = options.address;
  // None of the parts has a byte of zero.
  const std::string port = std::to_string(address.port);
  const std::string key = address.path + '\0' + address.host + '\0' + port + '\0' + options.name;
  std::erase_if(common_, [](const auto& one) { return one.second.expired(); });
  auto& kept = common_[key];
  auto common = kept.lock();
  if (common == nullptr) kept = common = std::make_shared<blk::nbd::NbdCommon>();
  return common;
}

void NbdShared::Track(const std::shared_ptr<blk::nbd::NbdStore>& store) {
  std::erase_if(stores_, [](const auto& one) { return one.expired(); });
  stores_.push_back(store);
}

void NbdShared::Shutdown() {
  events_->End();
  for (const auto& one : stores_) {
    if (const auto store = one.lock()) store->End();
  }
}

}  // namespace blk_addon
