// NbdTestServer: an NBD server over memory, on a Unix socket of its own, for tests of the client: as right as it is
// told to be. A thread a connection; requests of one are answered in order.
#ifndef RUMPBLK_TEST_SUPPORT_NBD_SERVER_H_
#define RUMPBLK_TEST_SUPPORT_NBD_SERVER_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "core/base/sync.h"
#include "core/host/socket.h"
#include "core/nbd/wire.h"

namespace blk::test {

struct NbdTestOptions {
  uint64_t size = 1 << 20;
  uint16_t flags = nbd::kHasFlags | nbd::kSendFlush | nbd::kSendFua | nbd::kSendTrim | nbd::kSendWriteZeroes |
                   nbd::kSendCache | nbd::kSendFastZero | nbd::kCanMultiConn;
  nbd::BlockSizes blocks;
  bool structured = true;
  bool go = true;  // else EXPORT_NAME alone
  std::string name;
  // Called before a connection is told that its export is there.
  std::function<void()> on_go;
  // Called with each request, before it is done; false: it is not done and not answered, and the connection ends.
  std::function<bool(const nbd::RequestHeader&)> on_request;
  // Of each reply, may change what is sent.
  std::function<void(const nbd::RequestHeader&, std::vector<uint8_t>&)> on_reply;
};

class NbdTestServer {
 public:
  explicit NbdTestServer(NbdTestOptions options = {});
  ~NbdTestServer();
  NbdTestServer(const NbdTestServer&) = delete;
  NbdTestServer& operator=(const NbdTestServer&) = delete;

  const std::string& path() const { return path_; }
  // Ends all connections, now; new ones are taken unless Refuse() said otherwise.
  void Drop() EXCLUDES(mu_);
  void Refuse(bool refuse) { refuse_ = refuse; }
  // Connections that came so far.
  int connections() const { return connections_; }
  // Requests of a kind so far.
  int requests(nbd::Command command) const { return requests_[static_cast<size_t>(command)]; }
  std::vector<uint8_t> bytes() const EXCLUDES(mu_);
  NbdTestOptions& options() { return options_; }

 private:
  struct Peer {
    Socket socket;
    std::thread thread;
  };

  void Accept();
  void Serve(Peer& peer);
  bool ShakeHands(Socket& socket);
  bool AnswerOption(Socket& socket, uint32_t option, const std::vector<uint8_t>& data, bool& structured, bool& done);
  bool Transmit(Socket& socket, bool structured);
  std::vector<uint8_t> Do(const nbd::RequestHeader& request, const std::vector<uint8_t>& payload, bool structured)
      EXCLUDES(mu_);

  NbdTestOptions options_;
  std::string path_;
  WakeEvent stop_;
  SocketListener listener_;
  std::atomic<bool> refuse_{false};
  std::atomic<int> connections_{0};
  std::atomic<int> requests_[8]{};
  mutable Mutex mu_;
  std::vector<uint8_t> bytes_ GUARDED_BY(mu_);
  std::vector<bool> written_ GUARDED_BY(mu_);  // by 512 bytes
  std::list<Peer> peers_ GUARDED_BY(mu_);
  std::thread thread_;
};

}  // namespace blk::test

#endif  // RUMPBLK_TEST_SUPPORT_NBD_SERVER_H_
