// ClientHandshake: the client's side of the fixed newstyle negotiation, as a state machine over bytes: structured
// replies, block status, then the export with its block sizes, by GO or, where the server does not know that, by
// EXPORT_NAME. It sees no socket and no clock. Used by one thread at a time.
#ifndef RUMPBLK_CORE_NBD_HANDSHAKE_H_
#define RUMPBLK_CORE_NBD_HANDSHAKE_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/base/status.h"
#include "core/nbd/export_facts.h"
#include "core/nbd/wire.h"

namespace blk::nbd {

class ClientHandshake {
 public:
  // Most bytes of one answer to an option: descriptions and messages have up to 4096, and nothing else is long.
  static constexpr size_t kMostAnswer = 64 * 1024;
  // Most answers to one option: each kind of information once, and what else servers think of.
  static constexpr size_t kMostAnswers = 64;

  // REQUIRES: `name` has at most kMaxString bytes.
  explicit ClientHandshake(std::string name) : name_(std::move(name)) {}

  // Takes in what came, however it is cut. May put more into out(). Throws std::bad_alloc.
  // Errors, all of Op::kConnect, after which it is over: EPROTO no NBD, an old NBD or a wrong one · ENOENT no such
  // export · EACCES its policy, or that it wants TLS · ECONNREFUSED it is going to stop · ENOTSUP it cannot.
  Status TakeIn(std::span<const uint8_t> bytes);
  // What the end of the stream means here.
  Status AtEnd() const;

  // What is to be sent next; whoever has sent some of it takes that out.
  std::vector<uint8_t>& out() { return out_; }
  bool done() const { return step_ == Step::kDone; }
  // REQUIRES: done().
  const ExportFacts& facts() const { return facts_; }

 private:
  enum class Step : uint8_t { kGreeting, kStructured, kContext, kGo, kExportName, kDone };

  // Bytes that the next message has, as far as they are known: its header, then all of it.
  size_t Wanted() const;
  // Does what the message in in_ says, which is whole.
  Status Take();
  Status TakeGreeting();
  Status TakeAnswer();
  Status TakeStructured(OptionReply type);
  Status TakeContext(OptionReply type, std::span<const uint8_t> data);
  Status TakeGo(OptionReply type, std::span<const uint8_t> data);
  Status TakeInfo(std::span<const uint8_t> data);
  Status TakeExportName();
  // What follows what both ways of choosing the export have said.
  Status Finish();

  void Ask(Option option, const std::vector<uint8_t>& data);
  void AskForStructured();
  void AskForContext();
  void AskForExport();
  void AskByName();

  const std::string name_;
  Step step_ = Step::kGreeting;
  std::vector<uint8_t> in_;  // of the message that comes
  std::vector<uint8_t> out_;
  size_t answers_ = 0;  // to the option that was asked last
  bool no_zeroes_ = false;
  bool knows_export_ = false;
  ExportFacts facts_;
};

}  // namespace blk::nbd

#endif  // RUMPBLK_CORE_NBD_HANDSHAKE_H_
