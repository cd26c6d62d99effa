// RequestReader: requests out of the bytes that a client sends. Payloads of more than kInPlace bytes are received
// straight into memory of their own; those of requests that are refused are read for nothing. No I/O; not thread-safe.
#ifndef RUMPBLK_SERVE_REQUEST_READER_H_
#define RUMPBLK_SERVE_REQUEST_READER_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "core/base/aligned_buffer.h"
#include "core/base/aligned_pool.h"
#include "core/nbd/wire.h"
#include "serve/export_facts.h"
#include "serve/in_buffer.h"
#include "serve/judge.h"

namespace blk::serve {

// A request that is all there.
struct Arrived {
  nbd::RequestHeader header;
  nbd::WireError verdict = nbd::kWireOk;
  const uint8_t* data = nullptr;  // of a write that is not refused: header.length bytes, good until the next Next()
  AlignedBuffer memory;           // what they lie in, to be kept, where that is not the buffer

  nbd::Command command() const { return static_cast<nbd::Command>(header.type); }
};

class RequestReader {
 public:
  static constexpr size_t kInPlace = 64 * 1024;             // bytes of a payload
  static constexpr uint32_t kMaxSkipped = 2 * kMaxPayload;  // of one that is refused; more is no request
  static_assert(nbd::RequestHeader::kSize + kInPlace <= InBuffer::kMostNeeded);

  // kNothing: more has to come. kBroken: what came is no request.
  enum class Found : uint8_t { kNothing, kRequest, kBroken };

  // All of them outlive this object. Memory of payloads comes from `pool`.
  RequestReader(InBuffer& buffer, const ExportFacts& facts, const Session& session, AlignedPool& pool)
      : buffer_(buffer), facts_(facts), session_(session), pool_(pool) {}

  Found Next(Arrived* arrived);

  // Where the next bytes go, in this order; the second may be empty.
  std::array<std::span<uint8_t>, 2> Room();
  // So many have come there.
  void Received(size_t size);

  // Bytes of memory of a payload that has begun to come.
  size_t payload_room() const {
    return pending_.memory.data() == nullptr ? 0 : AlignedPool::RoomFor(pending_.header.length);
  }

 private:
  Found Begin(Arrived* arrived);
  // Of what is in the buffer, takes what belongs to the payload that is coming, or to nobody.
  void Fill();
  void Skip();

  InBuffer& buffer_;
  const ExportFacts& facts_;
  const Session& session_;
  AlignedPool& pool_;
  // A write whose payload is coming, into memory of its own.
  Arrived pending_;
  size_t filled_ = 0;  // bytes of it
  size_t used_ = 0;    // bytes of the buffer that the last request lies in
  size_t skip_ = 0;    // bytes that are to come for nothing
};

}  // namespace blk::serve

#endif  // RUMPBLK_SERVE_REQUEST_READER_H_
