// Sockets of the host: connecting, listening, what wakes whom, and modes of paths.

#include "core/host/socket.h"

#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <string>
#include <thread>

#include "test/support/check.h"
#include "test/support/temp_file.h"

namespace blk {
namespace {

using namespace std::chrono_literals;

std::string FreshPath() {
  std::string folder = "/tmp/rumpblk-socket-XXXXXX";
  REQUIRE(mkdtemp(folder.data()) != nullptr);
  return folder + "/s";
}

void RemoveFolderOf(const std::string& path) { CHECK(rmdir(path.substr(0, path.rfind('/')).c_str()) == 0); }

// Sends a word over `from` and takes it from `to`.
void Talk(Socket& from, Socket& to) {
  std::array<char, 6> word{"hello"};
  const std::array<SocketSpan, 2> spans{{{word.data(), 2}, {word.data() + 2, 4}}};
  CHECK(from.Send(spans) == 6);
  REQUIRE(to.Wait(true, false, nullptr, 10s).receive);
  std::array<char, 8> heard{};
  const std::array<SocketSpan, 2> parts{{{heard.data(), 3}, {heard.data() + 3, 5}}};
  CHECK(to.ReceiveInto(parts) == 6);
  CHECK(std::string(heard.data()) == "hello");
  CHECK(to.Receive(heard.data(), heard.size()) == -EAGAIN);
}

void MeetAndTalk(SocketListener& listener, const SocketAddress& at) {
  Socket client = Socket::Connect(at, 10s).Take();
  REQUIRE(listener.Wait(nullptr).receive);
  auto accepted = listener.Accept().Take();
  REQUIRE(accepted.has_value());
  CHECK_FALSE(listener.Accept().Take().has_value());
  Talk(client, *accepted);
  Talk(*accepted, client);
  accepted->Shutdown();
  REQUIRE(client.Wait(true, false, nullptr, 10s).receive);
  char c = 0;
  CHECK(client.Receive(&c, 1) == 0);
  CHECK(client.Close().ok());
}

TEST_CASE("a Unix socket: nobody else may connect, whatever the umask, and its path goes with it") {
  const std::string path = FreshPath();
  const mode_t before = umask(0);
  auto listening = SocketListener::Listen({path, {}, 0});
  umask(before);
  REQUIRE(listening.ok());
  SocketListener listener = listening.Take();
  struct stat info {};
  REQUIRE(stat(path.c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
  MeetAndTalk(listener, {path, {}, 0});
  CHECK(SocketListener::Listen({path, {}, 0}).status().err == EADDRINUSE);
  CHECK(stat(path.c_str(), &info) == 0);
  CHECK(listener.Close().ok());
  CHECK(stat(path.c_str(), &info) != 0);
  CHECK(Socket::Connect({path, {}, 0}, 10s).status().err == ENOENT);
  RemoveFolderOf(path);
}

TEST_CASE("a Unix path that is another one's by now stays where it is") {
  const std::string path = FreshPath();
  SocketListener first = SocketListener::Listen({path, {}, 0}).Take();
  REQUIRE(unlink(path.c_str()) == 0);
  SocketListener second = SocketListener::Listen({path, {}, 0}).Take();
  CHECK(first.Close().ok());
  MeetAndTalk(second, {path, {}, 0});
  CHECK(second.Close().ok());
  RemoveFolderOf(path);
}

TEST_CASE("a TCP socket: a free port is told, and both sides have names") {
  SocketListener listener = SocketListener::Listen({{}, "127.0.0.1", 0}).Take();
  CHECK(listener.address().port != 0);
  MeetAndTalk(listener, {{}, "127.0.0.1", listener.address().port});
  MeetAndTalk(listener, {{}, "localhost", listener.address().port});
  const Socket client = Socket::Connect(listener.address(), 10s).Take();
  CHECK(client.Peer() == "127.0.0.1:" + std::to_string(listener.address().port));
  CHECK(listener.Close().ok());
  CHECK(Socket::Connect({{}, "127.0.0.1", listener.address().port}, 10s).status().err == ECONNREFUSED);
}

TEST_CASE("what cannot be connected to says so") {
  CHECK(Socket::Connect({std::string(200, 'x'), {}, 0}, 1s).status().err == ENAMETOOLONG);
  CHECK(SocketListener::Listen({std::string(200, 'x'), {}, 0}).status().err == ENAMETOOLONG);
  CHECK(SocketListener::Adopt(dup(0)).status().err != 0);
  CHECK(Socket::Adopt(-1).status().err == EBADF);
}

TEST_CASE("a wake event ends a wait, before it or during it") {
  auto [mine, others] = Socket::Pair().Take();
  const WakeEvent wake = WakeEvent::Create().Take();
  CHECK_FALSE(mine.Wait(true, false, &wake, 0ms).any());
  wake.Signal();
  wake.Signal();
  CHECK(mine.Wait(true, false, &wake).woken);
  CHECK(mine.Wait(true, false, &wake).woken);
  wake.Clear();
  CHECK_FALSE(mine.Wait(true, false, &wake, 0ms).any());
  std::thread other([&] { wake.Signal(); });
  CHECK(mine.Wait(true, false, &wake).woken);
  other.join();
  CHECK(mine.Wait(false, true, &wake).send);
  others.Shutdown();
  CHECK(mine.Wait(true, false, nullptr).receive);
}

TEST_CASE("a send to who is gone is EPIPE, and no signal") {
  auto [mine, others] = Socket::Pair().Take();
  CHECK(others.Close().ok());
  char c = 'x';
  const std::array<SocketSpan, 1> span{{{&c, 1}}};
  CHECK(mine.Send(span) == -EPIPE);
}

TEST_CASE("a send takes what fits, and says when it takes nothing") {
  auto [mine, others] = Socket::Pair().Take();
  std::string much(1 << 20, 'x');
  const std::array<SocketSpan, 1> span{{{much.data(), much.size()}}};
  const int64_t first = mine.Send(span);
  CHECK(first > 0);
  int64_t next = first;
  while (next > 0) next = mine.Send(span);
  CHECK(next == -EAGAIN);
  CHECK_FALSE(mine.Wait(false, true, nullptr, 0ms).send);
}

}  // namespace
}  // namespace blk
