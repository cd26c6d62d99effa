// State: the devices that a choice leaves, and what is written to them since: overlay over floor over base, all of it
// read when it is asked for. Each is a medium, opened as any other. StateMedium: one of them.
// Shared by pointer. Thread-safe. Lock order: mu_ before what reading the base takes.
#ifndef RUMPBLK_LAB_STATE_H_
#define RUMPBLK_LAB_STATE_H_

#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/base/sync.h"
#include "core/medium/volatile_medium.h"
#include "lab/cut.h"

namespace blk::lab {

class State {
 public:
  // An atom that was read before all of it was written, and what it held.
  struct Read {
    uint32_t atom = 0;  // of the model
    uint64_t content = 0;
  };

  explicit State(std::shared_ptr<const Choice> choice);

  const Choice& choice() const { return *choice_; }
  uint64_t SizeOf(uint16_t device) const;

  // Of a device; all of it lies inside.   Errors: EIO a torn atom cannot be read · the medium's.
  Status ReadBytes(uint16_t device, uint64_t at, uint8_t* data, size_t size) EXCLUDES(mu_);
  // `data`: null for zeros.
  Status WriteBytes(uint16_t device, uint64_t at, const uint8_t* data, size_t size) EXCLUDES(mu_);

  bool written() const EXCLUDES(mu_);
  // In the order in which they were first read.
  std::vector<Read> reads() const EXCLUDES(mu_);
  // Forgets what was written: nobody reads it any more.
  void Release() EXCLUDES(mu_);

 private:
  struct Written {
    std::vector<uint8_t> bytes;  // a unit
    bool partly = false;         // some of it is what the choice left
  };
  static uint64_t KeyOf(uint16_t device, uint64_t index) { return (uint64_t{device} << 48) + index; }

  // What an atom that was recorded holds, as a whole. Notes that it was read.
  Status FillAtom(const Atom& atom, uint8_t* bytes, bool note) REQUIRES(mu_);
  // The part of an atom's bytes in `span`.
  Status ReadAtom(uint16_t device, uint64_t index, MediumSpan span, uint8_t* to) REQUIRES(mu_);
  Status ReadAll(uint16_t device, MediumSpan span, uint8_t* to) REQUIRES(mu_);
  void Note(const Atom& atom) REQUIRES(mu_);

  const std::shared_ptr<const Choice> choice_;
  const Model& model_;

  mutable Mutex mu_;
  std::unordered_map<uint64_t, Written> written_ GUARDED_BY(mu_);
  std::vector<Read> reads_ GUARDED_BY(mu_);
  std::vector<uint64_t> noted_ GUARDED_BY(mu_);  // bit by atom; empty until one is read
  std::vector<uint8_t> room_ GUARDED_BY(mu_);
};

struct StateStore : VolatileStore {
  StateStore(std::shared_ptr<State> of, uint16_t which, std::string called, uint64_t bytes)
      : VolatileStore(bytes, std::move(called), kDevBsize), state(std::move(of)), device(which) {}
  const std::shared_ptr<State> state;
  const uint16_t device;
};

class StateMedium final : public VolatileMedium {
 public:
  explicit StateMedium(std::shared_ptr<StateStore> store)
      : VolatileMedium(MediumKind::kMemory, store), of_(std::move(store)) {}
  Result<std::unique_ptr<Medium>> Again() override {
    return std::unique_ptr<Medium>(std::make_unique<StateMedium>(of_));
  }

 private:
  std::unique_ptr<Channel> MakeChannel() override;

  const std::shared_ptr<StateStore> of_;
};

}  // namespace blk::lab

#endif  // RUMPBLK_LAB_STATE_H_
