#include "serve/request_reader.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace blk::serve {

RequestReader::Found RequestReader::Next(Arrived* arrived) {
  buffer_.Drop(std::exchange(used_, 0));
  Skip();
  if (skip_ > 0) return Found::kNothing;
  if (pending_.memory.data() == nullptr) return Begin(arrived);
  Fill();
  if (filled_ < pending_.header.length) return Found::kNothing;
  *arrived = std::move(pending_);
  pending_ = {};
  return Found::kRequest;
}

RequestReader::Found RequestReader::Begin(Arrived* arrived) {
  const std::span<uint8_t> bytes = buffer_.bytes();
  if (bytes.size() < nbd::RequestHeader::kSize) return Found::kNothing;
  const auto header = nbd::Decode<nbd::RequestHeader>(bytes.data());
  if (header.magic != nbd::kRequestMagic) return Found::kBroken;
  Arrived now;
  now.header = header;
  now.verdict = Judge(header, facts_, session_);
  size_t size = nbd::RequestHeader::kSize;
  if (now.command() == nbd::Command::kWrite && now.verdict == nbd::kWireOk && header.length > kInPlace) {
    now.memory = pool_.Take(header.length);
    if (now.memory.data() == nullptr) now.verdict = nbd::kWireNoMemory;
  }
  if (now.command() == nbd::Command::kWrite && now.verdict != nbd::kWireOk) {
    if (header.length > kMaxSkipped) return Found::kBroken;
    skip_ = header.length;
  } else if (now.memory.data() != nullptr) {
    now.data = now.memory.data();
    pending_ = std::move(now);
    filled_ = 0;
    buffer_.Drop(size);
    return Next(arrived);
  } else if (now.command() == nbd::Command::kWrite) {
    size += header.length;
    if (bytes.size() < size) return Found::kNothing;
    now.data = bytes.data() + nbd::RequestHeader::kSize;
  }
  used_ = size;
  *arrived = std::move(now);
  return Found::kRequest;
}

void RequestReader::Fill() {
  const std::span<uint8_t> bytes = buffer_.bytes();
  const size_t size = std::min<size_t>(bytes.size(), pending_.header.length - filled_);
  if (size > 0) std::memcpy(pending_.memory.data() + filled_, bytes.data(), size);
  filled_ += size;
  buffer_.Drop(size);
}

void RequestReader::Skip() {
  const size_t size = std::min(skip_, buffer_.bytes().size());
  skip_ -= size;
  buffer_.Drop(size);
}

std::array<std::span<uint8_t>, 2> RequestReader::Room() {
  // The last request is done with whoever asks for more.
  buffer_.Drop(std::exchange(used_, 0));
  if (pending_.memory.data() == nullptr) return {buffer_.room(), {}};
  // The buffer is empty then: what was in it is in the payload.
  return {std::span<uint8_t>(pending_.memory.data() + filled_, pending_.header.length - filled_), buffer_.room()};
}

void RequestReader::Received(size_t size) {
  if (pending_.memory.data() != nullptr) {
    const size_t rest = pending_.header.length - filled_;
    const size_t taken = std::min(size, rest);
    filled_ += taken;
    size -= taken;
  }
  buffer_.Added(size);
}

}  // namespace blk::serve
