// Fuzzes ReplyParser over a few requests: it never writes outside their memory, says the same however its bytes are
// cut, and finishes no read of which a byte is missing.
#include <cstdlib>
#include <cstring>
#include <map>
#include <span>
#include <vector>

#include "core/nbd/reply_parser.h"

namespace {

using blk::Status;
using blk::nbd::Command;
using blk::nbd::PendingReply;
using blk::nbd::ReplyParser;

constexpr uint32_t kContext = 7;

struct Book final : blk::nbd::ReplyBook {
  Book() {
    Add(1, Command::kRead, 0, 16);
    Add(2, Command::kRead, 4096, 80000);
    Add(3, Command::kWrite, 0, 512);
    Add(4, Command::kBlockStatus, 0, 65536);
    Add(5, Command::kRead, 16, 64);
    open[5].data = nullptr;
  }
  void Add(uint64_t cookie, Command command, uint64_t offset, uint32_t length) {
    PendingReply& reply = open[cookie];
    reply.command = command;
    reply.offset = offset;
    reply.length = length;
    if (command != Command::kRead) return;
    memory[cookie].resize(length);
    reply.data = memory[cookie].data();
  }
  PendingReply* Find(uint64_t cookie) override {
    const auto found = open.find(cookie);
    return found == open.end() ? nullptr : &found->second;
  }
  void Finish(uint64_t cookie) override {
    const PendingReply& reply = open.at(cookie);
    if (reply.error == 0 && reply.command == Command::kRead && !reply.covered.Has(reply.length)) std::abort();
    if (reply.error == 0 && reply.command == Command::kBlockStatus && reply.extents.empty()) std::abort();
    open.erase(cookie);
  }
  std::map<uint64_t, PendingReply> open;
  std::map<uint64_t, std::vector<uint8_t>> memory;
};

Status Feed(ReplyParser& parser, std::span<const uint8_t> bytes, size_t step) {
  for (size_t at = 0; at < bytes.size();) {
    const auto direct = parser.Direct();
    const size_t some = std::min(step, bytes.size() - at), in_place = std::min(some, direct.size());
    if (in_place > 0) std::memcpy(direct.data(), bytes.data() + at, in_place);
    Status status = parser.TookDirect(in_place);
    if (status.ok()) status = parser.TakeIn(bytes.subspan(at + in_place, some - in_place));
    if (!status.ok()) return status;
    at += some;
  }
  return Status::Ok();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const bool structured = (data[0] & 1) != 0;
  const std::span<const uint8_t> bytes(data + 1, size - 1);
  Book one, other;
  ReplyParser whole(structured, kContext, one), cut(structured, kContext, other);
  const Status first = Feed(whole, bytes, size), second = Feed(cut, bytes, 3);
  if (first.err != second.err || one.open.size() != other.open.size()) std::abort();
  if (first.ok() && (whole.between() != cut.between() || one.memory != other.memory)) std::abort();
  return 0;
}
