// NbdClient: the other end of a server under test, over a socket pair: EXPORT_NAME, simple replies, one call a word.
#ifndef RUMPBLK_TEST_SUPPORT_NBD_CLIENT_H_
#define RUMPBLK_TEST_SUPPORT_NBD_CLIENT_H_

#include <cerrno>
#include <chrono>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "core/host/socket.h"
#include "core/nbd/wire.h"
#include "test/support/check.h"

namespace blk::test {

class NbdClient {
 public:
  struct Reply {
    uint32_t error = 0;
    uint64_t cookie = 0;
  };

  explicit NbdClient(Socket socket) : socket_(std::move(socket)) {}

  // Comes to requests of the export of this name.
  void Begin(const std::string& name) {
    Take(nbd::Greeting::kSize);
    std::vector<uint8_t> words(4 + nbd::OptionHeader::kSize);
    words[3] = nbd::kFixedNewstyle | nbd::kNoZeroes;
    nbd::OptionHeader header;
    header.option = static_cast<uint32_t>(nbd::Option::kExportName);
    header.length = static_cast<uint32_t>(name.size());
    nbd::Encode(header, words.data() + 4);
    words.insert(words.end(), name.begin(), name.end());
    Send(words);
    Take(nbd::ExportInfo::kSize);
  }

  void Ask(nbd::Command command, uint64_t cookie, uint64_t offset, uint32_t length, uint16_t flags = 0,
           const std::vector<uint8_t>& data = {}) {
    nbd::RequestHeader header;
    header.flags = flags;
    header.type = static_cast<uint16_t>(command);
    header.cookie = cookie;
    header.offset = offset;
    header.length = length;
    std::vector<uint8_t> words(nbd::RequestHeader::kSize);
    nbd::Encode(header, words.data());
    words.insert(words.end(), data.begin(), data.end());
    Send(words);
  }

  // The next reply, without the data of a read.
  Reply Hear() {
    const std::vector<uint8_t> words = Take(nbd::SimpleReply::kSize);
    if (words.size() < nbd::SimpleReply::kSize) return {UINT32_MAX, 0};
    const auto reply = nbd::Decode<nbd::SimpleReply>(words.data());
    CHECK(reply.magic == nbd::kSimpleReplyMagic);
    return {reply.error, reply.cookie};
  }

  // The next bytes; fewer at the end of the connection.
  std::vector<uint8_t> Take(size_t size) {
    std::vector<uint8_t> taken(size);
    size_t have = 0;
    while (have < size) {
      const int64_t came = socket_.Receive(taken.data() + have, size - have);
      if (came > 0) have += static_cast<size_t>(came);
      if (came == 0 || (came < 0 && came != -EAGAIN)) break;
      if (came == -EAGAIN) socket_.Wait(true, false, nullptr);
    }
    taken.resize(have);
    return taken;
  }

  void Send(const std::vector<uint8_t>& words) {
    size_t sent = 0;
    while (sent < words.size()) {
      const SocketSpan span{const_cast<uint8_t*>(words.data()) + sent, words.size() - sent};
      const int64_t moved = socket_.Send({&span, 1});
      if (moved > 0) sent += static_cast<size_t>(moved);
      if (moved < 0 && moved != -EAGAIN) return;
      if (moved == -EAGAIN) socket_.Wait(false, true, nullptr);
    }
  }

  void Close() { static_cast<void>(socket_.Close()); }

 private:
  Socket socket_;
};

}  // namespace blk::test

#endif  // RUMPBLK_TEST_SUPPORT_NBD_CLIENT_H_
