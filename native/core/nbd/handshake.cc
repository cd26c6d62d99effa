#include "core/nbd/handshake.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>
#include <string_view>

#include "core/nbd/append.h"

namespace blk::nbd {
namespace {

constexpr uint32_t kLeastMaximum = 512;   // bytes of the largest payload: with less a request is nothing but headers
constexpr uint32_t kMostMinimum = 65536;  // bytes of the smallest block that a server may insist on

Status Failure(int err, Why why) { return {err, Op::kConnect, why}; }
Status Wrong() { return Failure(EPROTO, Why::kNbdHandshake); }

constexpr bool IsPowerOfTwo(uint32_t value) { return value != 0 && (value & (value - 1)) == 0; }

// What a refusal of the export means, or of all that is asked before TLS is spoken.
Status Refusal(OptionReply type) {
  switch (type) {
    case OptionReply::kErrPolicy: return Failure(EACCES, Why::kNbdPolicy);
    case OptionReply::kErrTlsRequired: return Failure(EACCES, Why::kNbdTls);
    case OptionReply::kErrUnknown: return Failure(ENOENT, Why::kNbdNoExport);
    case OptionReply::kErrShutdown: return Failure(ECONNREFUSED, Why::kNbdShutdown);
    case OptionReply::kErrPlatform: return Failure(ENOTSUP, Why::kNbdRefused);
    default: return Failure(EPROTO, Why::kNbdRefused);
  }
}

// Refusals of an option that we can do without and that concern the others as well.
bool ConcernsAll(OptionReply type) { return type == OptionReply::kErrTlsRequired || type == OptionReply::kErrShutdown; }

}  // namespace

Status ClientHandshake::AtEnd() const {
  // There is no other answer to a name that is not there.
  if (step_ == Step::kExportName) return Failure(ENOENT, Why::kNbdNoExport);
  return Failure(ECONNRESET, Why::kNbdClosed);
}

Status ClientHandshake::TakeIn(std::span<const uint8_t> bytes) {
  while (!bytes.empty()) {
    // A server speaks when it is asked; nothing was yet.
    if (done()) return Wrong();
    const size_t some = std::min(bytes.size(), Wanted() - in_.size());
    in_.insert(in_.end(), bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(some));
    bytes = bytes.subspan(some);
    // Seen as soon as the header is here, not when all of it has come.
    if (Wanted() > OptionReplyHeader::kSize + kMostAnswer) return Wrong();
    if (in_.size() < Wanted()) continue;
    const Status status = Take();
    if (!status.ok()) return status;
    in_.clear();
  }
  return Status::Ok();
}

size_t ClientHandshake::Wanted() const {
  switch (step_) {
    case Step::kGreeting: return Greeting::kSize;
    case Step::kExportName: return ExportInfo::kSize + (no_zeroes_ ? 0 : kExportNamePadding);
    case Step::kDone: return 0;
    default: break;
  }
  if (in_.size() < OptionReplyHeader::kSize) return OptionReplyHeader::kSize;
  return OptionReplyHeader::kSize + size_t{Decode<OptionReplyHeader>(in_.data()).length};
}

Status ClientHandshake::Take() {
  if (step_ == Step::kGreeting) return TakeGreeting();
  if (step_ == Step::kExportName) return TakeExportName();
  return TakeAnswer();
}

Status ClientHandshake::TakeGreeting() {
  const auto greeting = Decode<Greeting>(in_.data());
  if (greeting.magic != kGreetingMagic) return Failure(EPROTO, Why::kNbdNoServer);
  if (greeting.option_magic == kOldstyleMagic) return Failure(EPROTO, Why::kNbdOldstyle);
  if (greeting.option_magic != kOptionMagic) return Failure(EPROTO, Why::kNbdNoServer);
  no_zeroes_ = (greeting.flags & kNoZeroes) != 0;
  const bool fixed = (greeting.flags & kFixedNewstyle) != 0;
  AppendNumber<uint32_t>(greeting.flags & (kFixedNewstyle | kNoZeroes), &out_);
  // One that is not fixed drops who asks for anything else.
  fixed ? AskForStructured() : AskByName();
  return Status::Ok();
}

Status ClientHandshake::TakeAnswer() {
  const auto header = Decode<OptionReplyHeader>(in_.data());
  if (header.magic != kOptionReplyMagic) return Wrong();
  if (++answers_ > kMostAnswers) return Wrong();
  const auto asked = step_ == Step::kStructured ? Option::kStructuredReply
                     : step_ == Step::kContext  ? Option::kSetMetaContext
                                                : Option::kGo;
  if (header.option != static_cast<uint32_t>(asked)) return Wrong();
  const auto type = static_cast<OptionReply>(header.type);
  if (step_ != Step::kGo && ConcernsAll(type)) return Refusal(type);
  const auto data = std::span<const uint8_t>(in_).subspan(OptionReplyHeader::kSize);
  if (type == OptionReply::kAck && !data.empty()) return Wrong();
  switch (step_) {
    case Step::kStructured: return TakeStructured(type);
    case Step::kContext: return TakeContext(type, data);
    default: return TakeGo(type, data);
  }
}

Status ClientHandshake::TakeStructured(OptionReply type) {
  if (type != OptionReply::kAck && !IsError(type)) return Wrong();
  facts_.structured = type == OptionReply::kAck;
  // Block status is told in structured replies alone.
  facts_.structured ? AskForContext() : AskForExport();
  return Status::Ok();
}

Status ClientHandshake::TakeContext(OptionReply type, std::span<const uint8_t> data) {
  if (type == OptionReply::kMetaContext) {
    if (data.size() < sizeof(uint32_t)) return Wrong();
    const std::string_view name(reinterpret_cast<const char*>(data.data()) + sizeof(uint32_t),
                                data.size() - sizeof(uint32_t));
    // Nothing else was asked for, and that once.
    if (name != kAllocationContext || facts_.allocation) return Wrong();
    facts_.allocation = Load<uint32_t>(data.data(), ByteOrder::kBig);
    return Status::Ok();
  }
  if (type != OptionReply::kAck && !IsError(type)) return Wrong();
  // A refusal says that none was chosen; one of the name is repeated by what follows.
  if (IsError(type)) facts_.allocation.reset();
  AskForExport();
  return Status::Ok();
}

Status ClientHandshake::TakeGo(OptionReply type, std::span<const uint8_t> data) {
  if (type == OptionReply::kInfo) return TakeInfo(data);
  if (type == OptionReply::kAck) return knows_export_ ? Finish() : Wrong();
  if (type == OptionReply::kErrUnsupported) {
    AskByName();
    return Status::Ok();
  }
  return IsError(type) ? Refusal(type) : Wrong();
}

Status ClientHandshake::TakeInfo(std::span<const uint8_t> data) {
  if (data.size() < sizeof(uint16_t)) return Wrong();
  const auto kind = static_cast<Info>(Load<uint16_t>(data.data(), ByteOrder::kBig));
  data = data.subspan(sizeof(uint16_t));
  switch (kind) {
    case Info::kExport: {
      if (data.size() != ExportInfo::kSize) return Wrong();
      const auto info = Decode<ExportInfo>(data.data());
      facts_.size = info.size;
      facts_.flags = info.flags;
      knows_export_ = true;
      return Status::Ok();
    }
    case Info::kBlockSize:
      if (data.size() != BlockSizes::kSize) return Wrong();
      facts_.blocks = Decode<BlockSizes>(data.data());
      return Status::Ok();
    default: return Status::Ok();  // names, descriptions and what there will be
  }
}

Status ClientHandshake::TakeExportName() {
  const auto info = Decode<ExportInfo>(in_.data());
  facts_.size = info.size;
  facts_.flags = info.flags;
  // Agreed on before, where it was: this way of choosing an export keeps structured replies.
  return Finish();
}

Status ClientHandshake::Finish() {
  const auto& blocks = facts_.blocks;
  const bool fits = IsPowerOfTwo(blocks.minimum) && blocks.minimum <= kMostMinimum &&
                    blocks.maximum >= std::max(blocks.minimum, kLeastMaximum);
  if (!fits) return Failure(EPROTO, Why::kNbdBlockSizes);
  // What is preferred is only that, and no reason to turn away.
  if (!IsPowerOfTwo(blocks.preferred) || blocks.preferred < blocks.minimum) {
    facts_.blocks.preferred = std::max<uint32_t>(blocks.minimum, BlockSizes().preferred);
  }
  facts_.blocks.maximum -= blocks.maximum % blocks.minimum;
  if (facts_.size > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) return Failure(EFBIG, Why::kNbdSize);
  // Without the first flag the others mean nothing.
  if (!facts_.Has(kHasFlags)) facts_.flags = 0;
  step_ = Step::kDone;
  return Status::Ok();
}

void ClientHandshake::Ask(Option option, const std::vector<uint8_t>& data) {
  OptionHeader header;
  header.option = static_cast<uint32_t>(option);
  header.length = static_cast<uint32_t>(data.size());
  AppendMessage(header, &out_);
  out_.insert(out_.end(), data.begin(), data.end());
  answers_ = 0;
}

void ClientHandshake::AskForStructured() {
  Ask(Option::kStructuredReply, {});
  step_ = Step::kStructured;
}

void ClientHandshake::AskForContext() {
  std::vector<uint8_t> data;
  AppendString(name_, &data);
  AppendNumber(uint32_t{1}, &data);
  AppendString(kAllocationContext, &data);
  Ask(Option::kSetMetaContext, data);
  step_ = Step::kContext;
}

void ClientHandshake::AskForExport() {
  std::vector<uint8_t> data;
  AppendString(name_, &data);
  AppendNumber(uint16_t{1}, &data);
  AppendNumber(static_cast<uint16_t>(Info::kBlockSize), &data);
  Ask(Option::kGo, data);
  step_ = Step::kGo;
}

void ClientHandshake::AskByName() {
  Ask(Option::kExportName, std::vector<uint8_t>(name_.begin(), name_.end()));
  step_ = Step::kExportName;
}

}  // namespace blk::nbd
