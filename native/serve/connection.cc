#include "serve/connection.h"

#include <utility>

#include "core/base/no_memory.h"

namespace blk::serve {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

milliseconds Left(Clock::time_point deadline) {
  return std::chrono::ceil<milliseconds>(std::max(deadline - Clock::now(), Clock::duration::zero()));
}

constexpr Status kNoRequest{EPROTO, Op::kServe, Why::kServeRequest};
constexpr Status kNoHandshake{EPROTO, Op::kServe, Why::kServeHandshake};

}  // namespace

Result<std::unique_ptr<Connection>> Connection::Create(uint64_t id, Socket socket, ServerShared& shared,
                                                       const EventSink& sink) {
  auto wake = WakeEvent::Create();
  if (!wake.ok()) return wake.status();
  std::unique_ptr<Connection> made;
  const bool had_memory = HadMemory([&] {
    auto inbox = std::make_shared<Inbox>(wake.Take());
    made.reset(new Connection(id, std::move(socket), std::move(inbox), shared, sink));
  });
  if (!had_memory || !made->buffer_.valid()) return Status{ENOMEM, Op::kServe};
  return made;
}

Connection::Connection(uint64_t id, Socket socket, std::shared_ptr<Inbox> inbox, ServerShared& shared,
                       const EventSink& sink)
    : id_(id),
      socket_(std::move(socket)),
      peer_(socket_.Peer()),
      inbox_(std::move(inbox)),
      shared_(shared),
      sink_(sink) {}

void Connection::Stop(End how) noexcept {
  End now = end_.load(std::memory_order_relaxed);
  while (now < how && !end_.compare_exchange_weak(now, how, std::memory_order_release, std::memory_order_relaxed)) {
  }
  if (how == End::kCut) inbox_->cancel().store(true, std::memory_order_relaxed);
  inbox_->wake().Signal();
}

void Connection::Run() {
  const bool had_memory = HadMemory([&] {
    const std::optional<Session> session = Negotiate();
    if (!session) return;
    export_name_ = shared_.facts[session->export_index].name;
    Tell(ServerEvent::Kind::kConnect);
    Transmit(*session);
    Tell(ServerEvent::Kind::kDisconnect);
  });
  if (!had_memory) Break({ENOMEM, Op::kServe});
  // Nobody is left who could do anything about it.
  socket_.Shutdown();
  static_cast<void>(socket_.Close());
}

// What there is no memory to tell of, nobody hears of.
void Connection::Tell(ServerEvent::Kind kind, Status status) {
  static_cast<void>(HadMemory([&] { sink_({kind, id_, peer_, export_name_, status}); }));
}

void Connection::Break(Status status) {
  if (std::exchange(broken_, true)) return;
  inbox_->cancel().store(true, std::memory_order_relaxed);
  reads_ = false;
  // A client that is gone, and one that the server has had enough of, are no errors.
  if (status.err == EPIPE || status.err == ECONNRESET || end() == End::kCut) return;
  Tell(ServerEvent::Kind::kError, status);
}

// ---- handshake

std::optional<Session> Connection::Negotiate() {
  const auto deadline = Clock::now() + shared_.handshake;
  Negotiation negotiation(shared_.facts, shared_.nameless);
  std::vector<uint8_t> out;
  Negotiation::Greet(&out);
  for (;;) {
    if (!Say(&out, deadline)) return std::nullopt;
    switch (negotiation.state()) {
      case Negotiation::State::kTransmission: return negotiation.session();
      case Negotiation::State::kOver: return std::nullopt;
      case Negotiation::State::kBroken: return Break(kNoHandshake), std::nullopt;
      case Negotiation::State::kFlags:
      case Negotiation::State::kOptions: break;
    }
    const size_t taken = negotiation.Take(buffer_.bytes(), &out);
    buffer_.Drop(taken);
    if (taken == 0 && !AwaitMore(deadline)) return std::nullopt;
  }
}

bool Connection::Say(std::vector<uint8_t>* out, Clock::time_point deadline) {
  for (size_t sent = 0; sent < out->size();) {
    const SocketSpan span{out->data() + sent, out->size() - sent};
    const int64_t moved = socket_.Send({&span, 1});
    if (moved >= 0) {
      sent += static_cast<size_t>(moved);
      continue;
    }
    if (moved != -EAGAIN) return Break({static_cast<int>(-moved), Op::kServe}), false;
    if (end() != End::kNone) return false;
    if (!socket_.Wait(false, true, &inbox_->wake(), Left(deadline)).any()) return Break({ETIMEDOUT, Op::kServe}), false;
  }
  out->clear();
  return true;
}

bool Connection::AwaitMore(Clock::time_point deadline) {
  for (;;) {
    if (end() != End::kNone) return false;
    const std::span<uint8_t> room = buffer_.room();
    const int64_t came = socket_.Receive(room.data(), room.size());
    if (came > 0) return buffer_.Added(static_cast<size_t>(came)), true;
    if (came == 0) return false;
    if (came != -EAGAIN) return Break({static_cast<int>(-came), Op::kServe}), false;
    if (!socket_.Wait(true, false, &inbox_->wake(), Left(deadline)).any()) return Break({ETIMEDOUT, Op::kServe}), false;
  }
}

// ---- requests

void Connection::Transmit(const Session& session) {
  Export& exported = *shared_.exports[session.export_index];
  Runner runner(exported, session, inbox_, pool_);
  if (!runner.valid()) return Break({ENOMEM, Op::kServe});
  RequestReader reader(buffer_, exported.facts(), session, pool_);
  for (bool over = false; !over;) {
    // What is under way comes back first, whatever happens.
    if (!HadMemory([&] { over = Round(reader, runner); })) Break({ENOMEM, Op::kServe});
  }
}

bool Connection::Round(RequestReader& reader, Runner& runner) {
  if (end() >= End::kDrain) runner.Refuse();
  if (end() == End::kCut) Break({ECANCELED, Op::kServe});
  if (broken_) runner.Abandon();
  runner.TakeDone();
  const bool stuck = TakeRequests(reader, runner);
  // Before it is sent: who has an answer finds it counted.
  runner.tally().AddTo(shared_.tally);
  // What broke now is abandoned in the next round.
  const bool empty = Send(runner);
  const bool ends = !reads_ || end() >= End::kFinish;
  if (runner.under_way() == 0 && (broken_ || (ends && empty && !stuck))) return true;
  // Room that has come by the send is for answers and requests that are there already.
  if (runner.has_done() && (broken_ || empty)) return false;
  if (stuck && empty && !broken_ && runner.MayTake()) return false;
  Await(empty, stuck);
  if (can_receive_) Receive(reader);
  return false;
}

bool Connection::TakeRequests(RequestReader& reader, Runner& runner) {
  while (!broken_ && !left_) {
    if (!runner.MayTake()) return true;
    Arrived arrived;
    switch (reader.Next(&arrived)) {
      case RequestReader::Found::kNothing: return false;
      case RequestReader::Found::kBroken: return Break(kNoRequest), false;
      case RequestReader::Found::kRequest: break;
    }
    if (arrived.command() == nbd::Command::kDisconnect && arrived.verdict == nbd::kWireOk) {
      // What is behind it is not asked for any more.
      reads_ = false;
      left_ = true;
      return false;
    }
    runner.Take(arrived);
  }
  return false;
}

bool Connection::Send(Runner& runner) {
  if (broken_) return true;
  const int64_t rc = runner.batch().Send(socket_);
  if (rc < 0 && rc != -EAGAIN) Break({static_cast<int>(-rc), Op::kServe});
  return rc == 0;
}

void Connection::Await(bool empty, bool stuck) {
  const bool receive = reads_ && empty && !stuck && end() < End::kFinish;
  const bool send = !empty && !broken_;
  can_receive_ = false;
  if (receive || send) {
    const Readiness ready = socket_.Wait(receive, send, &inbox_->wake());
    can_receive_ = ready.receive;
    if (!ready.woken) return;
  } else {
    // For nothing of the socket, whose other side may be gone: it would not let anybody wait.
    inbox_->wake().Wait();
  }
  inbox_->wake().Clear();
}

void Connection::Receive(RequestReader& reader) {
  const auto room = reader.Room();
  const SocketSpan spans[2] = {{room[0].data(), room[0].size()}, {room[1].data(), room[1].size()}};
  const int64_t came = room[1].empty() ? socket_.Receive(room[0].data(), room[0].size()) : socket_.ReceiveInto(spans);
  if (came > 0) return reader.Received(static_cast<size_t>(came));
  if (came == -EAGAIN) return;
  if (came < 0) Break({static_cast<int>(-came), Op::kServe});
  reads_ = false;
}

}  // namespace blk::serve
