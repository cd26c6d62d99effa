// NbdShared: what media of NBD servers share in one JavaScript environment: who has which range of an export, and the
// thread-safe function by which connections tell of themselves. Made with the first of them.
#ifndef RUMPBLK_ADDON_NBD_SHARED_H_
#define RUMPBLK_ADDON_NBD_SHARED_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "addon/napi_setup.h"
#include "core/base/sync.h"
#include "core/nbd/nbd_medium.h"

namespace blk_addon {

// What a connection tells, from its thread to the JavaScript thread. Thread-safe. Lock order: mu_ is a leaf.
class NbdEvents {
 public:
  // `function` is called with each: (id, state, failure or undefined).   JavaScript thread.
  NbdEvents(napi_env env, napi_value function);
  void Tell(double id, blk::nbd::ClientState state, blk::Status reason) EXCLUDES(mu_);
  // From here on nothing is told any more.   JavaScript thread.
  void End() EXCLUDES(mu_);

 private:
  struct Event {
    double id;
    blk::nbd::ClientState state;
    blk::Status reason;
  };
  static void OnEvent(napi_env env, napi_value function, void* context, void* data);

  blk::Mutex mu_;
  napi_threadsafe_function function_ GUARDED_BY(mu_) = nullptr;
};

// Kept by EnvState.   JavaScript thread only.
class NbdShared {
 public:
  NbdShared(napi_env env, napi_value function) : events_(std::make_shared<NbdEvents>(env, function)) {}

  const std::shared_ptr<NbdEvents>& events() const { return events_; }
  // What all share that reach this export, whatever its URL looks like.
  std::shared_ptr<blk::nbd::NbdCommon> CommonOf(const blk::nbd::ClientOptions& options);
  // Has its connections end with the environment, if it is there by then.
  void Track(const std::shared_ptr<blk::nbd::NbdStore>& store);
  // Ends all connections, so that no task waits for a server any more. A cleanup hook, which runs before EnvState's.
  void Shutdown();

 private:
  const std::shared_ptr<NbdEvents> events_;
  std::map<std::string, std::weak_ptr<blk::nbd::NbdCommon>> common_;
  std::vector<std::weak_ptr<blk::nbd::NbdStore>> stores_;
};

}  // namespace blk_addon

#endif  // RUMPBLK_ADDON_NBD_SHARED_H_
