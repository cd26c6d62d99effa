// ServeState: a server of an environment, with what it needs of JavaScript: the devices that it keeps open, and the
// function that hears of its clients. It keeps itself, and the event loop alive, until the server has closed.
// JavaScript thread only, but for what the server's threads post.
#ifndef RUMPBLK_ADDON_SERVE_STATE_H_
#define RUMPBLK_ADDON_SERVE_STATE_H_

#include <list>
#include <memory>
#include <optional>
#include <vector>

#include "addon/device_state.h"
#include "addon/env_state.h"
#include "addon/napi_setup.h"
#include "serve/server.h"

namespace blk_addon {

class ServeState final : public EnvServer, public std::enable_shared_from_this<ServeState> {
 public:
  // What is to be served: a device that is open, and what else there is to say of it.
  struct Wanted {
    std::shared_ptr<DeviceState> device;
    std::string name;
    std::string description;
    bool writable = false;
    std::vector<blk::serve::ExportBitmap> bitmaps;
  };

  // `on_event` is called as lib/native/binding.ts has it.
  ServeState(napi_env env, std::vector<Wanted> exports, Napi::Function on_event);
  ~ServeState() override;
  ServeState(const ServeState&) = delete;
  ServeState& operator=(const ServeState&) = delete;

  // What a server is begun with. Once.
  blk::serve::ServerOptions Options(std::optional<size_t> nameless, size_t max_connections);
  // From here on this object keeps itself; the server may begin, and has begun, or could not.
  void Begins();
  void Begun(std::unique_ptr<blk::serve::Server> server);
  void Failed();
  // Null once it has closed.
  blk::serve::Server* server() const { return server_.get(); }
  // Also then.
  blk::serve::ServerStats stats() const { return server_ ? server_->stats() : last_stats_; }

  // Of EnvServer.
  void Cut() override;
  void End() override;

 private:
  class EventCall;
  class IdleCall;

  // An export's hold on its device, until the export has ended. On the device's list meanwhile.
  struct Held final : public Served {
    Held(ServeState& of, size_t at, const std::shared_ptr<DeviceState>& device);
    ~Held() override { LetGo(); }
    void EndExport() override;
    void LetGo();

    ServeState& state;
    const size_t index;
    std::optional<DeviceCall> call;
    std::list<Served*>* list = nullptr;
    std::list<Served*>::iterator listed;
  };

  // Thread: any.
  void Tell(blk::serve::ServerEvent event);
  void OnEvent(napi_env env, const blk::serve::ServerEvent& event);
  // The server has closed: lets go of everything. This object may be gone afterwards.
  void Closed();

  EnvState& env_state_;
  const std::shared_ptr<Completion> completion_;
  std::vector<Wanted> wanted_;
  Napi::FunctionReference on_event_;
  // Last but one: its threads are gone before what they use.
  std::list<Held> held_;
  std::unique_ptr<blk::serve::Server> server_;
  blk::serve::ServerStats last_stats_;
  std::shared_ptr<ServeState> self_;
};

}  // namespace blk_addon

#endif  // RUMPBLK_ADDON_SERVE_STATE_H_
