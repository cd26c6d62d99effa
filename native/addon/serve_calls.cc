#include "addon/serve_calls.h"

#include <chrono>
#include <utility>
#include <vector>

#include "addon/args.h"
#include "addon/change_calls.h"
#include "addon/define.h"
#include "addon/edge.h"
#include "addon/outcome.h"
#include "addon/serve_state.h"
#include "core/base/no_memory.h"

namespace blk_addon {
namespace {

using blk::Result;
using blk::serve::Server;
using blk::serve::ServerOptions;

// What a server's external holds.
using ServerRef = std::shared_ptr<ServeState>;

// Rows of [name, changes].
std::vector<blk::serve::ExportBitmap> BitmapsIn(napi_env env, const Napi::Array& rows) {
  std::vector<blk::serve::ExportBitmap> bitmaps;
  for (uint32_t at = 0; at < rows.Length(); at++) {
    const Napi::Array row = rows.Get(at).As<Napi::Array>();
    bitmaps.push_back({row.Get(uint32_t{0}).As<Napi::String>().Utf8Value(), ChangesOf(env, row.Get(uint32_t{1}))});
  }
  return bitmaps;
}

// Rows of [target, name, description, writable, bitmaps]. lib hands over devices that are open.
std::vector<ServeState::Wanted> WantedAt(const Args& args, size_t i) {
  std::vector<ServeState::Wanted> wanted;
  const Napi::Array rows = Napi::Value(args.env(), args.at(i)).As<Napi::Array>();
  for (uint32_t at = 0; at < rows.Length(); at++) {
    const Napi::Array row = rows.Get(at).As<Napi::Array>();
    void* target = nullptr;
    if (napi_get_value_external(args.env(), row.Get(uint32_t{0}), &target) != napi_ok) continue;
    wanted.push_back(
        {*static_cast<const std::shared_ptr<DeviceState>*>(target), row.Get(uint32_t{1}).As<Napi::String>().Utf8Value(),
         row.Get(uint32_t{2}).As<Napi::String>().Utf8Value(), row.Get(uint32_t{3}).As<Napi::Boolean>().Value(),
         BitmapsIn(args.env(), row.Get(uint32_t{4}).As<Napi::Array>())});
  }
  return wanted;
}

// Whatever a descriptor is: one that listens, or one that is connected. What is no socket stays as it is.
Result<std::unique_ptr<Server>> BeginOn(int fd, ServerOptions options) {
  const blk::SocketKind kind = blk::KindOfSocket(fd);
  if (kind == blk::SocketKind::kNone) return blk::Status{ENOTSOCK, blk::Op::kServe};
  if (kind == blk::SocketKind::kListening) {
    auto listener = blk::SocketListener::Adopt(fd);
    if (!listener.ok()) return listener.status();
    return Server::Listen(std::move(options), listener.Take());
  }
  auto socket = blk::Socket::Adopt(fd);
  if (!socket.ok()) return blk::Status{socket.status().err, blk::Op::kServe};
  return Server::Over(std::move(options), socket.Take());
}

Result<std::unique_ptr<Server>> BeginAt(const blk::SocketAddress& address, ServerOptions options) {
  auto listener = blk::SocketListener::Listen(address);
  if (!listener.ok()) return listener.status();
  return Server::Listen(std::move(options), listener.Take());
}

// (exports, nameless, connections at most, path, host, port, descriptor, listener)
napi_value Serve(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  const int64_t nameless = args.Int(1);
  auto state = std::make_shared<ServeState>(env, WantedAt(args, 0), Napi::Value(env, args.at(7)).As<Napi::Function>());
  ServerOptions options =
      state->Options(nameless < 0 ? std::nullopt : std::optional<size_t>(nameless), static_cast<size_t>(args.Int(2)));
  const int fd = static_cast<int>(args.Int(6));
  const blk::SocketAddress address{args.Bytes(3), args.Text(4), static_cast<uint16_t>(args.Int(5))};
  // Before its threads, which may tell of a client at once, and keep the state by this.
  state->Begins();
  Result<std::unique_ptr<Server>> server = blk::Status{ENOMEM, blk::Op::kServe};
  // Without memory it stays at that: the state has to hear of it.
  static_cast<void>(blk::HadMemory(
      [&] { server = fd >= 0 ? BeginOn(fd, std::move(options)) : BeginAt(address, std::move(options)); }));
  if (!server.ok()) {
    state->Failed();
    return ToFailure(env, server.status());
  }
  state->Begun(server.Take());
  auto* held = new ServerRef(std::move(state));
  const auto drop = [](napi_env, void* data, void*) { delete static_cast<ServerRef*>(data); };
  napi_value external = nullptr;
  if (napi_create_external(env, held, drop, nullptr, &external) != napi_ok) delete held;
  return external;
}

// Null for what is no server.
ServeState* ServerAt(const Args& args) {
  void* held = nullptr;
  if (napi_get_value_external(args.env(), args.at(0), &held) != napi_ok) return nullptr;
  return static_cast<const ServerRef*>(held)->get();
}

// (server) -> [path, host, port, clients, requests, bytes read, bytes written, errors]; of one that has closed the
// first four are those of nowhere and nobody.
napi_value ServerInfo(napi_env env, napi_callback_info info) {
  const ServeState* state = ServerAt(Args(env, info));
  if (state == nullptr) return nullptr;
  const Server* server = state->server();
  const blk::SocketAddress address =
      server == nullptr ? blk::SocketAddress{} : server->address().value_or(blk::SocketAddress{});
  const blk::serve::ServerStats stats = state->stats();
  Napi::Array result = Napi::Array::New(env, 8);
  result.Set(uint32_t{0}, Napi::Buffer<char>::Copy(env, address.path.data(), address.path.size()));
  result.Set(uint32_t{1}, address.host);
  result.Set(uint32_t{2}, address.port);
  result.Set(uint32_t{3}, static_cast<double>(server == nullptr ? 0 : server->connections()));
  result.Set(uint32_t{4}, static_cast<double>(stats.requests));
  result.Set(uint32_t{5}, static_cast<double>(stats.bytes_read));
  result.Set(uint32_t{6}, static_cast<double>(stats.bytes_written));
  result.Set(uint32_t{7}, static_cast<double>(stats.errors));
  return result;
}

// (server, drain in ms)
napi_value ServerClose(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  ServeState* state = ServerAt(args);
  Server* server = state == nullptr ? nullptr : state->server();
  if (server != nullptr) server->Close(std::chrono::milliseconds(args.Int(1)));
  return nullptr;
}

}  // namespace

void DefineServeCalls(napi_env env, napi_value exports) {
  DefineFunction(env, exports, "serve", Edge<Serve>);
  DefineFunction(env, exports, "serverInfo", Edge<ServerInfo>);
  DefineFunction(env, exports, "serverClose", Edge<ServerClose>);
}

}  // namespace blk_addon
