// ClientHandshake: what servers of all kinds say, cut at every byte, and what is wrong with it.
#include "core/nbd/handshake.h"

#include <cerrno>
#include <string>
#include <vector>

#include "test/support/check.h"
#include "test/support/nbd_wire.h"

namespace blk::nbd {
namespace {

using namespace blk::test;

constexpr uint32_t kStructured = static_cast<uint32_t>(Option::kStructuredReply);
constexpr uint32_t kContext = static_cast<uint32_t>(Option::kSetMetaContext);
constexpr uint32_t kGo = static_cast<uint32_t>(Option::kGo);
constexpr uint16_t kFlags = kHasFlags | kSendFlush;

Bytes Greeted() { return GreetingBytes(kFixedNewstyle | kNoZeroes); }
Bytes Agreed() { return Greeted() + OptionReplyBytes(kStructured, OptionReply::kAck); }
Bytes Context() {
  const std::string name = kAllocationContext;
  return OptionReplyBytes(kContext, OptionReply::kMetaContext,
                          BytesOfNumber(uint32_t{9}) + Bytes(name.begin(), name.end()));
}
Bytes Contexted() { return Agreed() + Context() + OptionReplyBytes(kContext, OptionReply::kAck); }
Bytes Export(uint64_t size = 1 << 20) {
  return OptionReplyBytes(kGo, OptionReply::kInfo, ExportInfoBytes(size, kFlags));
}
Bytes Sizes(BlockSizes blocks) { return OptionReplyBytes(kGo, OptionReply::kInfo, BlockSizeBytes(blocks)); }
Bytes Gone() { return OptionReplyBytes(kGo, OptionReply::kAck); }

struct Outcome {
  Status status;
  bool done = false;
  ExportFacts facts;
  Bytes said;
};

// Feeds `bytes` in pieces of `step`.
Outcome Shake(const Bytes& bytes, size_t step = 1 << 20, const std::string& name = "disk") {
  ClientHandshake hands(name);
  Outcome outcome;
  for (size_t at = 0; at < bytes.size() && outcome.status.ok(); at += step) {
    outcome.status = hands.TakeIn(std::span(bytes).subspan(at, std::min(step, bytes.size() - at)));
  }
  outcome.done = hands.done();
  if (outcome.done) outcome.facts = hands.facts();
  if (outcome.status.ok() && !outcome.done) outcome.status = hands.AtEnd();
  outcome.said = hands.out();
  return outcome;
}

TEST_CASE("handshake: a server with everything, however its words are cut") {
  const Bytes bytes = Contexted() + Export() + Sizes({512, 4096, 1 << 20}) + Gone();
  for (const size_t step : {size_t{1}, size_t{2}, size_t{3}, size_t{7}, size_t{20}, bytes.size()}) {
    CAPTURE(step);
    const Outcome outcome = Shake(bytes, step);
    REQUIRE(outcome.status.ok());
    REQUIRE(outcome.done);
    CHECK(outcome.facts.size == 1 << 20);
    CHECK(outcome.facts.flags == kFlags);
    CHECK(outcome.facts.structured);
    CHECK(outcome.facts.allocation == std::optional<uint32_t>(9));
    CHECK(outcome.facts.blocks.minimum == 512);
    CHECK(outcome.facts.blocks.maximum == 1 << 20);
  }
}

TEST_CASE("handshake: what is said for it") {
  const Outcome outcome = Shake(Contexted() + Export() + Gone());
  const auto option = [](Option what, const Bytes& data) {
    OptionHeader header;
    header.option = static_cast<uint32_t>(what);
    header.length = static_cast<uint32_t>(data.size());
    return BytesOf(header, data);
  };
  const auto text = [](const std::string& words) {
    return BytesOfNumber(static_cast<uint32_t>(words.size())) + Bytes(words.begin(), words.end());
  };
  const Bytes flags = BytesOfNumber(uint32_t{kFixedNewstyle | kNoZeroes});
  const Bytes context = text("disk") + BytesOfNumber(uint32_t{1}) + text(kAllocationContext);
  const Bytes go = text("disk") + BytesOfNumber(uint16_t{1}) + BytesOfNumber(uint16_t{3});
  CHECK(outcome.said == flags + option(Option::kStructuredReply, {}) + option(Option::kSetMetaContext, context) +
                            option(Option::kGo, go));
}

TEST_CASE("handshake: servers that know less") {
  const auto refused = [](uint32_t option) { return OptionReplyBytes(option, OptionReply::kErrUnsupported); };
  const Bytes name = BytesOf(ExportInfo{4096, kFlags});
  Outcome outcome = Shake(Greeted() + refused(kStructured) + Export() + Gone());
  REQUIRE(outcome.done);
  CHECK_FALSE(outcome.facts.structured);
  CHECK_FALSE(outcome.facts.allocation.has_value());
  CHECK(outcome.facts.blocks.maximum == 32 << 20);
  outcome = Shake(Agreed() + refused(kContext) + Export() + Gone());
  REQUIRE(outcome.done);
  CHECK(outcome.facts.structured);
  CHECK_FALSE(outcome.facts.allocation.has_value());
  outcome = Shake(Greeted() + refused(kStructured) + refused(kGo) + name);
  REQUIRE(outcome.done);
  CHECK(outcome.facts.size == 4096);
  // No zeros are left out by one that was not asked to.
  outcome = Shake(GreetingBytes(kFixedNewstyle) + refused(kStructured) + refused(kGo) + name + Bytes(124));
  CHECK(outcome.done);
  outcome = Shake(GreetingBytes(0) + name + Bytes(124), 5);
  REQUIRE(outcome.done);
  CHECK(outcome.facts.flags == kFlags);
  // Flags that say nothing.
  outcome = Shake(GreetingBytes(0) + BytesOf(ExportInfo{4096, kSendFlush}) + Bytes(124));
  CHECK(outcome.facts.flags == 0);
}

TEST_CASE("handshake: an export whose name is not there, or that is refused") {
  const auto after = [](OptionReply type) { return Shake(Contexted() + OptionReplyBytes(kGo, type)).status; };
  CHECK(after(OptionReply::kErrUnknown).err == ENOENT);
  CHECK(after(OptionReply::kErrUnknown).why == Why::kNbdNoExport);
  CHECK(after(OptionReply::kErrPolicy).why == Why::kNbdPolicy);
  CHECK(after(OptionReply::kErrTlsRequired).why == Why::kNbdTls);
  CHECK(after(OptionReply::kErrShutdown).err == ECONNREFUSED);
  CHECK(after(OptionReply::kErrInvalid).why == Why::kNbdRefused);
  CHECK(Shake(Greeted() + OptionReplyBytes(kStructured, OptionReply::kErrTlsRequired)).status.why == Why::kNbdTls);
  CHECK(Shake(GreetingBytes(0)).status.err == ENOENT);
}

TEST_CASE("handshake: what is no NBD, or an old one") {
  const std::string http = "HTTP/1.1 400 Bad Request\r\n";
  CHECK(Shake(Bytes(http.begin(), http.end())).status.why == Why::kNbdNoServer);
  Greeting old;
  old.option_magic = kOldstyleMagic;
  CHECK(Shake(BytesOf(old)).status.why == Why::kNbdOldstyle);
  CHECK(Shake({}).status.why == Why::kNbdClosed);
}

TEST_CASE("handshake: an end at every byte is told, and never taken for the whole") {
  const Bytes bytes = Contexted() + Export() + Sizes({1, 4096, 1 << 20}) + Gone();
  for (size_t size = 0; size < bytes.size(); size++) {
    CAPTURE(size);
    const Outcome outcome = Shake({bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(size)});
    CHECK_FALSE(outcome.done);
    CHECK(outcome.status.err == ECONNRESET);
  }
}

TEST_CASE("handshake: nonsense is refused") {
  const auto wrong = [](const Bytes& bytes) {
    const Outcome outcome = Shake(bytes);
    CHECK_FALSE(outcome.done);
    CHECK(outcome.status.err == EPROTO);
  };
  OptionReplyHeader header;
  header.option = kStructured;
  header.type = static_cast<uint32_t>(OptionReply::kAck);
  header.magic++;
  wrong(Greeted() + BytesOf(header));
  header.magic--;
  header.length = UINT32_MAX;
  wrong(Greeted() + BytesOf(header));
  wrong(Greeted() + OptionReplyBytes(kGo, OptionReply::kAck));
  wrong(Greeted() + OptionReplyBytes(kStructured, OptionReply::kServer));
  wrong(Greeted() + OptionReplyBytes(kStructured, OptionReply::kAck, Bytes(4)));
  wrong(Agreed() + Context() + Context());
  wrong(Agreed() + OptionReplyBytes(kContext, OptionReply::kMetaContext, Bytes(2)));
  wrong(Agreed() + OptionReplyBytes(kContext, OptionReply::kMetaContext, Bytes(20)));
  wrong(Contexted() + Gone());
  wrong(Contexted() + OptionReplyBytes(kGo, OptionReply::kInfo, Bytes(1)));
  wrong(Contexted() + OptionReplyBytes(kGo, OptionReply::kInfo, Bytes(11)));
  wrong(Contexted() + OptionReplyBytes(kGo, OptionReply::kServer));
  for (const BlockSizes blocks : {BlockSizes{0, 4096, 1 << 20}, BlockSizes{3, 4096, 1 << 20},
                                  BlockSizes{1 << 17, 1 << 17, 1 << 20}, BlockSizes{4096, 4096, 512}}) {
    wrong(Contexted() + Export() + Sizes(blocks) + Gone());
  }
  Bytes many = Contexted();
  for (size_t i = 0; i < ClientHandshake::kMostAnswers + 1; i++) {
    many = many + OptionReplyBytes(kGo, OptionReply::kInfo, Bytes({0, 1, 'x'}));
  }
  wrong(many);
  CHECK(Shake(Contexted() + Export(UINT64_MAX) + Gone()).status.err == EFBIG);
  // What nobody has asked for.
  CHECK(Shake(Contexted() + Export() + Gone() + Bytes(1)).status.err == EPROTO);
}

TEST_CASE("handshake: a preferred size that cannot be is no reason to turn away") {
  const Outcome outcome = Shake(Contexted() + Export() + Sizes({8192, 3, 1 << 20}) + Gone());
  REQUIRE(outcome.done);
  CHECK(outcome.facts.blocks.preferred == 8192);
}

}  // namespace
}  // namespace blk::nbd
