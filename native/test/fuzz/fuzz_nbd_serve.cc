// Fuzzes what a server makes of a client's bytes: the handshake, then requests, fed in pieces of any size. Never
// crashes, takes what there is not, or says without bound; a request that is let through lies in the export, and what
// it was judged by is what a second look says.
//
// Input: a byte that chooses the exports and what was agreed on, and one whose bits say how the rest is cut up.
#include <algorithm>
#include <cstdlib>
#include <vector>

#include "serve/negotiation.h"
#include "serve/request_reader.h"

namespace {

using blk::AlignedPool;
using blk::serve::Arrived;
using blk::serve::ExportFacts;
using blk::serve::InBuffer;
using blk::serve::Negotiation;
using blk::serve::RequestReader;
using blk::serve::Session;

void Check(bool holds) {
  if (!holds) std::abort();
}

std::vector<ExportFacts> Exports(uint8_t chosen) {
  std::vector<ExportFacts> all(1 + chosen % 3);
  for (size_t i = 0; i < all.size(); i++) {
    all[i].name = std::string(i, 'a');
    all[i].description = std::string(3 * i, 'd');
    all[i].size = (uint64_t{1} << (20 + 10 * i)) + i;
    all[i].writable = i % 2 == 0;
    if (i == 1) all[i].sizes.minimum = 512;
    for (size_t bitmap = 0; bitmap < 2 * i; bitmap++) all[i].bitmaps.push_back(std::string(bitmap, 'b'));
  }
  return all;
}

// -> what was agreed on; the bytes that are left stay in `buffer`.
bool Negotiate(InBuffer& buffer, Negotiation& negotiation) {
  std::vector<uint8_t> out;
  Negotiation::Greet(&out);
  for (;;) {
    const size_t before = out.size();
    const size_t had = buffer.bytes().size();
    const size_t taken = negotiation.Take(buffer.bytes(), &out);
    Check(taken <= had);
    Check(out.size() - before <= 64 * 1024);
    buffer.Drop(taken);
    switch (negotiation.state()) {
      case Negotiation::State::kTransmission: return true;
      case Negotiation::State::kOver:
      case Negotiation::State::kBroken: return false;
      case Negotiation::State::kFlags:
      case Negotiation::State::kOptions: break;
    }
    if (taken == 0) return false;
  }
}

void CheckRequest(const Arrived& arrived, const ExportFacts& facts, const Session& session) {
  using blk::nbd::Command;
  const auto& header = arrived.header;
  if (arrived.verdict == blk::nbd::kWireNoMemory) return;
  Check(arrived.verdict == Judge(header, facts, session));
  if (arrived.verdict != blk::nbd::kWireOk || arrived.command() == Command::kDisconnect) return;
  Check(header.type <= static_cast<uint16_t>(Command::kBlockStatus));
  if (arrived.command() != Command::kFlush) {
    Check(header.offset <= facts.size && header.length <= facts.size - header.offset);
  }
  if (arrived.command() != Command::kWrite) return;
  Check(facts.writable && header.length <= blk::serve::kMaxPayload);
  // All of it is there to be read.
  unsigned sum = 0;
  for (uint32_t i = 0; i < header.length; i++) sum += arrived.data[i];
  Check(sum <= 255u * header.length);
}

// Feeds bytes into where the reader wants them, `step` at a time.
void Read(const uint8_t* data, size_t size, size_t step, InBuffer& buffer, const ExportFacts& facts,
          const Session& session) {
  AlignedPool pool;
  RequestReader reader(buffer, facts, session, pool);
  for (;;) {
    Arrived arrived;
    RequestReader::Found found = reader.Next(&arrived);
    for (; found == RequestReader::Found::kRequest; found = reader.Next(&arrived)) {
      CheckRequest(arrived, facts, session);
      arrived = {};
    }
    if (found == RequestReader::Found::kBroken || size == 0) return;
    Check(reader.payload_room() <= AlignedPool::RoomFor(blk::serve::kMaxPayload));
    size_t came = 0;
    for (const std::span<uint8_t> room : reader.Room()) {
      const size_t moved = std::min({room.size(), size, step - came});
      std::copy_n(data, moved, room.data());
      data += moved;
      size -= moved;
      came += moved;
    }
    Check(came > 0);
    reader.Received(came);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const uint8_t chosen = data[0];
  const size_t step = data[1] == 0 ? size : 1 + data[1] % 61;
  data += 2;
  size -= 2;
  const std::vector<ExportFacts> exports = Exports(chosen);
  InBuffer buffer;
  if (!buffer.valid()) return 0;
  Session session{0, (chosen & 4) != 0, {(chosen & 12) == 12, {}}};
  // Most inputs never get through a handshake: half of them begin behind it.
  if ((chosen & 16) != 0) {
    Negotiation negotiation(exports, 0);
    while (size > 0) {
      const std::span<uint8_t> room = buffer.room();
      const size_t moved = std::min({room.size(), size, step});
      if (moved == 0) return 0;
      std::copy_n(data, moved, room.data());
      buffer.Added(moved);
      data += moved;
      size -= moved;
      if (Negotiate(buffer, negotiation)) break;
      const auto state = negotiation.state();
      if (state == Negotiation::State::kOver || state == Negotiation::State::kBroken) return 0;
    }
    if (negotiation.state() != Negotiation::State::kTransmission) return 0;
    session = negotiation.session();
    Check(session.export_index < exports.size());
    const ExportFacts& facts = exports[session.export_index];
    Check(session.structured || session.contexts.count() == 0);
    for (const size_t bitmap : session.contexts.bitmaps) Check(bitmap < facts.bitmaps.size());
  }
  Read(data, size, step, buffer, exports[session.export_index], session);
  return 0;
}
