// WireRequest: one request of a client from its start to its end, and the lists that they are in. Whoever makes it
// keeps it, and its memory, until `finish` is called. Plain data; who may touch it when is said where it is.
#ifndef RUMPBLK_CORE_NBD_WIRE_REQUEST_H_
#define RUMPBLK_CORE_NBD_WIRE_REQUEST_H_

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "core/nbd/pending_reply.h"
#include "core/nbd/wire.h"

namespace blk::nbd {

// What became of a request.
enum class WireEnd : uint8_t {
  kAnswered,   // `error`, and what else PendingReply has, tell
  kLost,       // its connection was lost; `sent` tells whether the server may have seen it
  kCancelled,  // called off before anything of it was sent
  kChanged,    // the export is another one by now; `sent` as above
};

struct WireRequest : PendingReply {
  // Called once, by any thread, perhaps before Submit() has returned; *this may be gone when it returns. It does not
  // wait.
  void (*finish)(WireRequest& request, WireEnd how) = nullptr;
  // Called once at most, before `finish`, of a read that was called off while it was under way: `data` is not touched
  // from here on. Not of requests without `cancel`.
  void (*called_off)(WireRequest& request) = nullptr;
  const std::atomic<bool>* cancel = nullptr;
  uint16_t flags = 0;                // CommandFlag
  const uint8_t* payload = nullptr;  // of a write, `length` bytes
  bool more = false;                 // of Submit(): Client::Kick() follows, and the request may stay until then

  // The client's, from Submit() on: `end` is what a connection calls.
  void (*end)(WireRequest& request, WireEnd how) = nullptr;
  void* client = nullptr;
  std::chrono::steady_clock::time_point held_until;
  uint64_t covers = 0;  // of a flush: how many writes were completed before it
  uint8_t epoch = 0;    // of a write

  // The connection's, from Submit() on.
  std::array<uint8_t, RequestHeader::kSize> header{};
  uint64_t cookie = 0;
  uint64_t sent = 0;      // bytes of it, by any connection
  bool answered = false;  // before all of it was sent
  bool off = false;       // called off while under way
  WireRequest* next = nullptr;

  bool mutates() const {
    return command == Command::kWrite || command == Command::kTrim || command == Command::kWriteZeroes;
  }
  uint64_t wire_size() const { return RequestHeader::kSize + (command == Command::kWrite ? length : 0); }
};

// A queue of requests, which are in one at a time. Not thread-safe.
class RequestList {
 public:
  bool empty() const { return first_ == nullptr; }
  WireRequest* first() const { return first_; }
  void Push(WireRequest& request) {
    request.next = nullptr;
    (first_ == nullptr ? first_ : last_->next) = &request;
    last_ = &request;
  }
  // REQUIRES: not empty.
  WireRequest& Pop() {
    WireRequest& request = *first_;
    first_ = request.next;
    return request;
  }
  // Takes all of `other`, behind those here.
  void Take(RequestList& other) {
    if (other.empty()) return;
    (empty() ? first_ : last_->next) = other.first_;
    last_ = other.last_;
    other.first_ = nullptr;
  }

 private:
  WireRequest* first_ = nullptr;
  WireRequest* last_ = nullptr;
};

}  // namespace blk::nbd

#endif  // RUMPBLK_CORE_NBD_WIRE_REQUEST_H_
