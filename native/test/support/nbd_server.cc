#include "test/support/nbd_server.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>

#include "core/base/byte_order.h"
#include "test/support/nbd_wire.h"

namespace blk::test {
namespace {

using namespace nbd;

std::string NewPath() {
  std::string path = (std::filesystem::temp_directory_path() / "rumpblk-nbd-XXXXXX").string();
  return std::string(mkdtemp(path.data())) + "/socket";
}

constexpr uint64_t kSector = 512;

}  // namespace

NbdTestServer::NbdTestServer(NbdTestOptions options)
    : options_(std::move(options)),
      path_(NewPath()),
      stop_(WakeEvent::Create().Take()),
      listener_(SocketListener::Listen({path_, "", 0}).Take()),
      bytes_(options_.size),
      written_(options_.size / kSector + 1),
      thread_([this] { Accept(); }) {}

NbdTestServer::~NbdTestServer() {
  stop_.Signal();
  thread_.join();
  Drop();
  std::list<Peer> peers;
  {
    MutexLock lock(mu_);
    peers.swap(peers_);
  }
  for (Peer& peer : peers) peer.thread.join();
  static_cast<void>(listener_.Close());
  std::filesystem::remove_all(std::filesystem::path(path_).parent_path());
}

void NbdTestServer::Drop() {
  MutexLock lock(mu_);
  for (Peer& peer : peers_) peer.socket.Shutdown();
}

std::vector<uint8_t> NbdTestServer::bytes() const {
  MutexLock lock(mu_);
  return bytes_;
}

void NbdTestServer::Accept() {
  for (;;) {
    if (listener_.Wait(&stop_).woken) return;
    auto came = listener_.Accept();
    if (!came.ok() || !came.value()) continue;
    connections_++;
    if (refuse_) continue;  // closed by the end of this turn
    MutexLock lock(mu_);
    Peer& peer = peers_.emplace_back();
    peer.socket = std::move(*came.value());
    peer.thread = std::thread([this, &peer] { Serve(peer); });
  }
}

void NbdTestServer::Serve(Peer& peer) {
  static_cast<void>(ShakeHands(peer.socket));
  peer.socket.Shutdown();
}

bool NbdTestServer::ShakeHands(Socket& socket) {
  if (!SendAll(socket, GreetingBytes(kFixedNewstyle | kNoZeroes))) return false;
  std::array<uint8_t, 4> flags;
  if (!ReceiveAll(socket, flags.data(), flags.size())) return false;
  bool structured = false, done = false;
  while (!done) {
    std::array<uint8_t, OptionHeader::kSize> head;
    if (!ReceiveAll(socket, head.data(), head.size())) return false;
    const auto header = Decode<OptionHeader>(head.data());
    std::vector<uint8_t> data(header.length);
    if (!ReceiveAll(socket, data.data(), data.size())) return false;
    if (!AnswerOption(socket, header.option, data, structured, done)) return false;
  }
  return Transmit(socket, structured);
}

bool NbdTestServer::AnswerOption(Socket& socket, uint32_t option, const std::vector<uint8_t>& data, bool& structured,
                                 bool& done) {
  const auto answer = [&](OptionReply type, const std::vector<uint8_t>& bytes = {}) {
    return SendAll(socket, OptionReplyBytes(option, type, bytes));
  };
  switch (static_cast<Option>(option)) {
    case Option::kStructuredReply:
      structured = options_.structured;
      return answer(structured ? OptionReply::kAck : OptionReply::kErrUnsupported);
    case Option::kSetMetaContext: {
      std::vector<uint8_t> context(4);
      Store<uint32_t>(context.data(), kTestContext, ByteOrder::kBig);
      context.insert(context.end(), kAllocationContext, kAllocationContext + std::strlen(kAllocationContext));
      return answer(OptionReply::kMetaContext, context) && answer(OptionReply::kAck);
    }
    case Option::kGo: {
      if (!options_.go) return answer(OptionReply::kErrUnsupported);
      const auto length = Load<uint32_t>(data.data(), ByteOrder::kBig);
      const std::string name(data.begin() + 4, data.begin() + 4 + length);
      if (name != options_.name) return answer(OptionReply::kErrUnknown);
      done = true;
      if (options_.on_go) options_.on_go();
      return answer(OptionReply::kInfo, ExportInfoBytes(options_.size, options_.flags)) &&
             answer(OptionReply::kInfo, BlockSizeBytes(options_.blocks)) && answer(OptionReply::kAck);
    }
    case Option::kExportName: {
      if (std::string(data.begin(), data.end()) != options_.name) return false;
      done = true;
      auto bytes = ExportInfoBytes(options_.size, options_.flags);
      return SendAll(socket, {bytes.begin() + 2, bytes.end()});
    }
    default: return answer(OptionReply::kErrUnsupported);
  }
}

bool NbdTestServer::Transmit(Socket& socket, bool structured) {
  for (;;) {
    std::array<uint8_t, RequestHeader::kSize> head;
    if (!ReceiveAll(socket, head.data(), head.size())) return false;
    const auto request = Decode<RequestHeader>(head.data());
    std::vector<uint8_t> payload;
    if (request.type == static_cast<uint16_t>(Command::kWrite)) payload.resize(request.length);
    if (!ReceiveAll(socket, payload.data(), payload.size())) return false;
    if (request.type < 8) requests_[request.type]++;
    if (request.type == static_cast<uint16_t>(Command::kDisconnect)) return true;
    if (options_.on_request && !options_.on_request(request)) return false;
    auto reply = Do(request, payload, structured);
    if (options_.on_reply) options_.on_reply(request, reply);
    if (!SendAll(socket, reply)) return false;
  }
}

std::vector<uint8_t> NbdTestServer::Do(const RequestHeader& request, const std::vector<uint8_t>& payload,
                                       bool structured) {
  const auto command = static_cast<Command>(request.type);
  const uint64_t block = options_.blocks.minimum;
  const bool aligned = request.offset % block == 0 && request.length % block == 0;
  const bool inside = request.offset <= options_.size && request.length <= options_.size - request.offset;
  const bool moves = command == Command::kRead || command == Command::kWrite;
  const bool fits = !moves || request.length <= options_.blocks.maximum;
  if (!aligned || !inside || !fits) {
    return structured ? ErrorChunk(request.cookie, kWireInvalid) : SimpleReplyBytes(request.cookie, kWireInvalid);
  }
  MutexLock lock(mu_);
  const auto begin = bytes_.begin() + static_cast<ptrdiff_t>(request.offset);
  const auto mark = [&](bool written) REQUIRES(mu_) {
    for (uint64_t at = request.offset; at < request.offset + request.length; at += kSector) {
      written_[at / kSector] = written;
    }
    if (request.length > 0) written_[(request.offset + request.length - 1) / kSector] = written;
  };
  switch (command) {
    case Command::kRead: {
      const std::vector<uint8_t> data(begin, begin + request.length);
      if (!structured) return SimpleReplyBytes(request.cookie, 0, data);
      return DataChunk(request.cookie, request.offset, data, true);
    }
    case Command::kWrite:
      std::copy(payload.begin(), payload.end(), begin);
      mark(true);
      break;
    case Command::kTrim:
    case Command::kWriteZeroes:
      std::fill(begin, begin + request.length, uint8_t{0});
      if (request.offset % kSector == 0 && request.length % kSector == 0) mark((request.flags & kFlagNoHole) != 0);
      break;
    case Command::kBlockStatus: {
      std::vector<StatusExtent> extents;
      for (uint64_t at = request.offset; at < request.offset + request.length;) {
        const bool written = written_[at / kSector];
        const uint64_t next = std::min(request.offset + request.length, (at / kSector + 1) * kSector);
        const uint32_t flags = written ? 0 : kStateHole | kStateZero;
        if (!extents.empty() && extents.back().flags == flags) {
          extents.back().length += static_cast<uint32_t>(next - at);
        } else {
          extents.push_back({static_cast<uint32_t>(next - at), flags});
        }
        at = next;
      }
      return StatusChunk(request.cookie, kTestContext, extents, true);
    }
    default: break;
  }
  return structured ? NoneChunk(request.cookie) : SimpleReplyBytes(request.cookie, 0);
}

}  // namespace blk::test
