#include "addon/serve_state.h"

#include <utility>

#include "addon/outcome.h"
#include "core/base/no_memory.h"

namespace blk_addon {

using blk::serve::ServerEvent;

// Brings an event to the JavaScript thread. It owes no promise and never runs on a worker.
class ServeState::EventCall final : public Call {
 public:
  EventCall(CallSink& sink, std::shared_ptr<ServeState> state, ServerEvent event)
      : Call(sink), state_(std::move(state)), event_(std::move(event)) {}

  int Return(napi_env env) override {
    const bool last = event_.kind == ServerEvent::Kind::kClosed;
    if (last) state_->Closed();
    state_->OnEvent(env, event_);
    // The server counted as one that is pending.
    return last ? 1 : 0;
  }

 private:
  void Work(blk::IoWorker&) override {}

  const std::shared_ptr<ServeState> state_;
  const ServerEvent event_;
};

// The same for an export that has ended: its device can be closed.
class ServeState::IdleCall final : public Call {
 public:
  IdleCall(CallSink& sink, std::shared_ptr<ServeState> state, size_t index)
      : Call(sink), state_(std::move(state)), index_(index) {}

  int Return(napi_env) override {
    for (Held& held : state_->held_) {
      if (held.index == index_) held.LetGo();
    }
    return 0;
  }

 private:
  void Work(blk::IoWorker&) override {}

  const std::shared_ptr<ServeState> state_;
  const size_t index_;
};

// ---- devices

ServeState::Held::Held(ServeState& of, size_t at, const std::shared_ptr<DeviceState>& device) : state(of), index(at) {
  call.emplace(device);
  list = &device->served;
  listed = list->insert(list->end(), this);
}

void ServeState::Held::LetGo() {
  if (list != nullptr) std::exchange(list, nullptr)->erase(listed);
  // The last one lets a close begin that waits.
  call.reset();
}

void ServeState::Held::EndExport() {
  // Made before: when the last request has ended there may be no memory left.
  auto idle = std::make_shared<std::unique_ptr<Call>>(
      std::make_unique<IdleCall>(*state.completion_, state.shared_from_this(), index));
  Completion& completion = *state.completion_;
  state.server_->EndExport(index, [idle, &completion] { completion.Post(std::move(*idle)); });
}

// ---- the server

ServeState::ServeState(napi_env env, std::vector<Wanted> exports, Napi::Function on_event)
    : env_state_(EnvState::Of(env)),
      completion_(env_state_.completion),
      wanted_(std::move(exports)),
      on_event_(Napi::Persistent(on_event)) {}

ServeState::~ServeState() = default;

blk::serve::ServerOptions ServeState::Options(std::optional<size_t> nameless, size_t max_connections) {
  blk::serve::ServerOptions options;
  options.nameless = nameless;
  options.max_connections = max_connections;
  options.sink = [this](ServerEvent event) { Tell(std::move(event)); };
  for (Wanted& wanted : wanted_) {
    blk::Driver& driver = wanted.device->driver->driver;
    options.exports.push_back({std::move(wanted.name), std::move(wanted.description), wanted.writable,
                               wanted.device->device, &driver.queue(), driver.lanes(), std::move(wanted.bitmaps)});
    held_.emplace_back(*this, held_.size(), wanted.device);
  }
  return options;
}

void ServeState::Begins() {
  self_ = shared_from_this();
  completion_->CountIn();
}

void ServeState::Begun(std::unique_ptr<blk::serve::Server> server) {
  server_ = std::move(server);
  env_state_.TrackServer(this);
}

void ServeState::Failed() {
  completion_->CountOut();
  held_.clear();
  self_.reset();
}

void ServeState::Tell(ServerEvent event) {
  const bool last = event.kind == ServerEvent::Kind::kClosed;
  std::unique_ptr<Call> call;
  // Of an event that nobody can be told of, nobody is; but for the last one, which frees the memory of all others.
  const auto make = [&] { call = std::make_unique<EventCall>(*completion_, self_, std::move(event)); };
  if (last) {
    make();
  } else if (!blk::HadMemory(make)) {
    return;
  }
  completion_->Post(std::move(call));
}

void ServeState::OnEvent(napi_env env, const ServerEvent& event) {
  const auto text = [env](const std::string& of) {
    napi_value value = nullptr;
    napi_create_string_utf8(env, of.data(), of.size(), &value);
    return value;
  };
  napi_value undefined = nullptr;
  napi_get_undefined(env, &undefined);
  napi_value arguments[] = {ToNumber(env, static_cast<double>(event.kind)),
                            ToNumber(env, static_cast<double>(event.id)), text(event.peer), text(event.export_name),
                            event.status.ok() ? undefined : ToFailure(env, event.status)};
  napi_value ignored = nullptr;
  // lib's function throws nothing; it fails in a thread that is being terminated.
  static_cast<void>(napi_call_function(env, undefined, on_event_.Value(), std::size(arguments), arguments, &ignored));
}

void ServeState::Closed() {
  if (server_) server_->Join();
  last_stats_ = stats();
  server_.reset();
  held_.clear();
  env_state_.UntrackServer(this);
  self_.reset();
}

void ServeState::Cut() {
  if (server_) server_->Cut();
}

void ServeState::End() {
  if (server_) server_->Join();
  server_.reset();
  held_.clear();
  // Behind its threads, which keep it by this.
  const std::shared_ptr<ServeState> kept = std::move(self_);
}

}  // namespace blk_addon
