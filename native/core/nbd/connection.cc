// Over 300 lines: one state machine of one thread, whose parts make sense side by side only.
#include "core/nbd/connection.h"

#include <algorithm>
#include <array>
#include <cerrno>

#include "core/base/moved.h"
#include "core/base/no_memory.h"

namespace blk::nbd {

void Connection::Open(Socket socket, const ExportFacts& facts) {
  buffer_.resize(kBuffer);
  socket_ = std::move(socket);
  parser_.emplace(facts.structured, facts.allocation, static_cast<ReplyBook&>(*this));
  why_ = Status::Ok();
  outgoing_ = {};
  settled_ = {};
  first_sent_ = under_way_ = cancellable_ = unawaited_ = 0;
  progress_ = looked_ = Clock::now();
  wake_.Clear();
  MutexLock lock(mu_);
  open_ = true;
  dropped_ = false;
}

bool Connection::Submit(WireRequest& request) {
  bool sleeps = false;
  {
    MutexLock lock(mu_);
    if (!open_) return false;
    queue_.Push(request);
    // Once: whoever submits it again, behind a loss, kicks nobody.
    sleeps = !std::exchange(request.more, false) && std::exchange(asleep_, false);
  }
  if (sleeps) wake_.Signal();
  return true;
}

void Connection::Kick() {
  bool sleeps = false;
  {
    MutexLock lock(mu_);
    sleeps = !queue_.empty() && std::exchange(asleep_, false);
  }
  if (sleeps) wake_.Signal();
}

void Connection::Stop() {
  MutexLock lock(mu_);
  stopping_ = true;
  wake_.Signal();
}

void Connection::Drop() {
  MutexLock lock(mu_);
  dropped_ = true;
  wake_.Signal();
}

void Connection::Release() {
  MutexLock lock(mu_);
  // Signals of others go nowhere from here on.
  wake_ = {};
}

RequestList Connection::Run() {
  if (!HadMemory([&] { why_ = Serve(); })) why_ = Lost(ENOMEM);
  // What was answered before there was no memory.
  Settle();
  socket_.Shutdown();
  RequestList left = TakeLeft();
  // What the end of a socket says that is not used any more concerns nobody.
  static_cast<void>(socket_.Close());
  return left;
}

Status Connection::Serve() {
  for (;;) {
    if (!TakeQueue()) return Lost(ECONNABORTED);
    Status status = SendSome();
    if (!status.ok()) return status;
    // Nobody waits for what is left.
    if (stop_seen_ && under_way_ == unawaited_) return Disconnect(), Status::Ok();
    status = Wait();
    if (!status.ok()) return status;
  }
}

bool Connection::TakeQueue() {
  RequestList come;
  {
    MutexLock lock(mu_);
    if (dropped_) return false;
    stop_seen_ = stopping_;
    come.Take(queue_);
  }
  // Those that find no memory are in `come` still; they are left over with the rest.
  const bool had_memory = HadMemory([&] {
    while (!come.empty()) {
      WireRequest& request = *come.first();
      // One that a connection before has sent may have been done, unless it only reads.
      if (IsCancelled(request.cancel) && (request.sent == 0 || !request.mutates())) {
        come.Pop();
        request.end(request, WireEnd::kCancelled);
        continue;
      }
      if (free_.empty()) {
        if (places_.size() == places_.capacity()) places_.reserve(std::max<size_t>(64, 2 * places_.size()));
        // Room for all of them, so that to let go of one takes no memory.
        free_.reserve(places_.capacity());
        places_.push_back({});
        free_.push_back(static_cast<uint32_t>(places_.size() - 1));
      }
      come.Pop();
      Begin(request);
    }
  });
  if (had_memory) return true;
  MutexLock lock(mu_);
  come.Take(queue_);
  queue_ = come;
  return false;
}

void Connection::Begin(WireRequest& request) {
  const uint32_t at = free_.back();
  free_.pop_back();
  Place& place = places_[at];
  place.request = &request;
  place.turn++;
  place.sending = true;
  request.cookie = uint64_t{place.turn} << 32 | at;
  request.answered = request.off = false;
  request.Forget();
  RequestHeader header;
  header.flags = request.flags;
  header.type = static_cast<uint16_t>(request.command);
  header.cookie = request.cookie;
  header.offset = request.offset;
  header.length = request.length;
  Encode(header, request.header.data());
  if (under_way_++ == 0) progress_ = Clock::now();
  if (request.cancel != nullptr) cancellable_++;
  if (request.command == Command::kCache) unawaited_++;
  outgoing_.Push(request);
}

Status Connection::SendSome() {
  while (!outgoing_.empty()) {
    spans_.clear();
    size_t skip = first_sent_;
    for (WireRequest* one = outgoing_.first(); one != nullptr && spans_.size() + 2 <= Socket::kMostSpans;
         one = one->next) {
      const auto add = [&](const uint8_t* data, size_t size) {
        const size_t before = std::min(skip, size);
        skip -= before;
        // Only read from by a send.
        if (size > before) spans_.push_back({const_cast<uint8_t*>(data) + before, size - before});
      };
      add(one->header.data(), one->header.size());
      if (one->command == Command::kWrite) add(one->payload, one->length);
    }
    const int64_t sent = socket_.Send(spans_);
    if (sent == -EAGAIN) return Status::Ok();
    if (sent < 0) return Lost(static_cast<int>(-sent));
    progress_ = Clock::now();
    auto left = static_cast<size_t>(sent);
    while (left > 0) {
      WireRequest& one = *outgoing_.first();
      const size_t some = std::min(left, one.wire_size() - first_sent_);
      one.sent += some;
      first_sent_ += some;
      left -= some;
      if (first_sent_ < one.wire_size()) break;
      outgoing_.Pop();
      first_sent_ = 0;
      places_[static_cast<uint32_t>(one.cookie)].sending = false;
      if (one.answered) {
        Finish(one.cookie);
        Settle();
      }
    }
  }
  return Status::Ok();
}

Status Connection::Wait() {
  {
    MutexLock lock(mu_);
    if (!queue_.empty() || dropped_ || stopping_ != stop_seen_) return Status::Ok();
    asleep_ = true;
  }
  const auto patience = Patience();
  const Readiness ready = socket_.Wait(true, !outgoing_.empty(), &wake_, patience);
  {
    MutexLock lock(mu_);
    asleep_ = false;
  }
  if (ready.woken) wake_.Clear();
  const Status status = ready.receive ? ReceiveSome() : Status::Ok();
  if (!status.ok()) return status;
  if (under_way_ == 0 || ready.receive) return status;
  const auto now = Clock::now();
  if (cancellable_ > 0 && now - looked_ >= kLook) LookForCalledOff();
  if (timeout_.count() > 0 && now - progress_ >= timeout_) return {ETIMEDOUT, Op::kConnect, Why::kNbdTimeout};
  return status;
}

std::optional<std::chrono::milliseconds> Connection::Patience() const {
  if (under_way_ == 0) return std::nullopt;
  std::optional<std::chrono::milliseconds> patience;
  if (timeout_.count() > 0) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(progress_ + timeout_ - Clock::now());
    patience = std::max(left, std::chrono::milliseconds(0));
  }
  if (cancellable_ > 0) patience = std::min(patience.value_or(kLook), kLook);
  return patience;
}

Status Connection::ReceiveSome() {
  const auto direct = parser_->Direct();
  const std::array<SocketSpan, 2> to{{{direct.data(), direct.size()}, {buffer_.data(), buffer_.size()}}};
  const int64_t came = direct.empty() ? socket_.Receive(buffer_.data(), buffer_.size()) : socket_.ReceiveInto(to);
  if (came == -EAGAIN) return Status::Ok();
  if (came <= 0) return Lost(came == 0 ? ECONNRESET : static_cast<int>(-came));
  progress_ = Clock::now();
  const size_t in_place = std::min(static_cast<size_t>(came), direct.size());
  Status status = parser_->TookDirect(in_place);
  if (status.ok()) status = parser_->TakeIn({buffer_.data(), static_cast<size_t>(came) - in_place});
  // Also what was right before something was wrong.
  Settle();
  if (cancellable_ > 0 && progress_ - looked_ >= kLook) LookForCalledOff();
  return status;
}

WireRequest* Connection::At(uint64_t cookie) {
  const auto at = static_cast<uint32_t>(cookie);
  if (at >= places_.size() || places_[at].turn != cookie >> 32) return nullptr;
  return places_[at].request;
}

PendingReply* Connection::Find(uint64_t cookie) {
  WireRequest* request = At(cookie);
  // One answer is enough.
  return request == nullptr || request->answered ? nullptr : request;
}

void Connection::Finish(uint64_t cookie) {
  WireRequest& request = *At(cookie);
  Place& place = places_[static_cast<uint32_t>(cookie)];
  if (place.sending) {
    // A server that has seen enough of a request; what is being sent stays until it is.
    request.answered = true;
    return;
  }
  place.request = nullptr;
  free_.push_back(static_cast<uint32_t>(cookie));
  under_way_--;
  if (request.cancel != nullptr) cancellable_--;
  if (request.off || request.command == Command::kCache) unawaited_--;
  settled_.Push(request);
}

void Connection::Settle() {
  while (!settled_.empty()) {
    WireRequest& request = settled_.Pop();
    request.end(request, WireEnd::kAnswered);
  }
}

void Connection::LookForCalledOff() {
  looked_ = Clock::now();
  for (const Place& place : places_) {
    WireRequest* request = place.request;
    if (request == nullptr || request->off || request->command != Command::kRead) continue;
    if (!IsCancelled(request->cancel)) continue;
    // What comes of it is thrown away. A write stays: the server may do it at any time, and who is told that it is over
    // may write there again.
    request->off = true;
    unawaited_++;
    request->data = nullptr;
    request->called_off(*request);
  }
}

void Connection::Disconnect() {
  std::array<uint8_t, RequestHeader::kSize> bytes{};
  RequestHeader header;
  header.type = static_cast<uint16_t>(Command::kDisconnect);
  Encode(header, bytes.data());
  const std::array<SocketSpan, 1> spans{{{bytes.data(), bytes.size()}}};
  // A server that takes nothing now learns it from the end of the stream.
  static_cast<void>(socket_.Send(spans));
}

RequestList Connection::TakeLeft() {
  RequestList left;
  MutexLock lock(mu_);
  open_ = false;
  for (uint32_t at = 0; at < places_.size(); at++) {
    Place& place = places_[at];
    if (place.request == nullptr) continue;
    left.Push(*place.request);
    place.request = nullptr;
  }
  // Never more than there are places, which were room for.
  free_.clear();
  for (uint32_t at = 0; at < places_.size(); at++) free_.push_back(at);
  outgoing_ = {};
  under_way_ = 0;
  left.Take(queue_);
  return left;
}

}  // namespace blk::nbd
