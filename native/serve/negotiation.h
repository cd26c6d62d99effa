// Negotiation: a server's side of the handshake as a state machine over bytes: fixed newstyle, from the greeting until
// a client has chosen an export or is to be cut off. No I/O; used by one thread at a time.
// Whatever a client sends, each option gets its answer and the stream stays in sync; what would let a client keep the
// server busy for ever ends it: kMaxOptions options, kMaxSkipped bytes of one.
// Source: doc/proto.md of NetworkBlockDevice/nbd.
#ifndef RUMPBLK_SERVE_NEGOTIATION_H_
#define RUMPBLK_SERVE_NEGOTIATION_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "serve/export_facts.h"

namespace blk::serve {

class Negotiation {
 public:
  static constexpr size_t kMaxOptions = 64;                      // of one connection
  static constexpr uint32_t kMaxOptionData = 64 * 1024;          // bytes that are looked at; more is TOO_BIG
  static constexpr uint32_t kMaxSkipped = uint32_t{1} << 20;     // bytes of one that are read for nothing
  static constexpr size_t kMostNeeded = 16 + size_t{64} * 1024;  // bytes that Take() has to see at once, at most

  // kOver: nothing more is said; what is in `out` goes first. kBroken: the same, and the client is to blame.
  enum class State : uint8_t { kFlags, kOptions, kTransmission, kOver, kBroken };

  // `exports` outlives this object. `nameless`: the export that the empty name stands for.
  Negotiation(std::span<const ExportFacts> exports, std::optional<size_t> nameless)
      : exports_(exports), nameless_(nameless) {}

  // The server's first words.
  static void Greet(std::vector<uint8_t>* out);
  // Looks at the front of what has come and takes one message of it, or a part of one that is too long; what is to be
  // said goes to the end of `out`. -> bytes taken; 0: it needs more than there are.
  // REQUIRES: state() is kFlags or kOptions.
  size_t Take(std::span<const uint8_t> in, std::vector<uint8_t>* out);

  State state() const { return state_; }
  // REQUIRES: state() is kTransmission.
  const Session& session() const { return session_; }

 private:
  using Data = std::span<const uint8_t>;

  void TakeFlags(Data in);
  size_t TakeOption(Data in, std::vector<uint8_t>* out);
  void Answer(nbd::Option option, Data data, std::vector<uint8_t>* out);
  void ChooseByName(Data data, std::vector<uint8_t>* out);
  void List(Data data, std::vector<uint8_t>* out);
  void Inform(nbd::Option option, Data data, std::vector<uint8_t>* out);
  void Structure(Data data, std::vector<uint8_t>* out);
  void MetaContexts(nbd::Option option, Data data, std::vector<uint8_t>* out);
  // The export is chosen: requests are of it.
  void Choose(size_t index);
  std::optional<size_t> Find(std::string_view name) const;

  const std::span<const ExportFacts> exports_;
  const std::optional<size_t> nameless_;
  State state_ = State::kFlags;
  bool no_zeroes_ = false;
  size_t options_ = 0;  // so far
  uint32_t skip_ = 0;   // bytes of an option that are still to come, for nothing
  Session session_;
  std::optional<size_t> context_of_;  // the export that contexts were chosen for
  Contexts contexts_;                 // those
};

}  // namespace blk::serve

#endif  // RUMPBLK_SERVE_NEGOTIATION_H_
