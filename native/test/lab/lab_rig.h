// LabRig: a recording that a test writes down, over disks in memory whose atoms are of 512 bytes and hold one byte
// each, again and again.
#ifndef RUMPBLK_TEST_LAB_LAB_RIG_H_
#define RUMPBLK_TEST_LAB_LAB_RIG_H_

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "core/medium/memory_medium.h"
#include "lab/explorer.h"
#include "lab/state.h"
#include "test/support/check.h"

namespace blk::lab {

inline constexpr uint64_t kUnit = 512;

struct LabRig {
  explicit LabRig(std::vector<uint64_t> atoms, std::string folder = "/tmp") {
    Recording::Setting setting;
    setting.atomic_unit = kUnit;
    setting.folder = std::move(folder);
    recording = std::make_shared<Recording>(PosixHostIo(), setting);
    for (const uint64_t count : atoms) {
      auto store = MemoryMedium::CreateStore(count * kUnit, "disk", kDevBsize);
      const MediumSpan span{{0}, {count * kUnit}};
      auto base = Base::Open(std::make_unique<MemoryMedium>(store.Take()), span);
      CHECK(base.ok());
      const uint16_t domain = recording->AddDomain(base.Take());
      CHECK(recording->AddPart({span, domain}).ok());
    }
  }

  // A write of whole atoms, each of which holds `value`.
  Event Write(uint64_t begin, uint64_t end, uint64_t atom, uint8_t value, Promise promise = Promise::kPlain,
              uint64_t atoms = 1, uint16_t device = 0) {
    bytes.assign(atoms * kUnit, value);
    Event event;
    event.promise = promise;
    event.device = device;
    event.begin = begin;
    event.end = end;
    event.at = atom * kUnit;
    event.length = atoms * kUnit;
    event.moved = end == kNever ? 0 : event.length;
    event.data = bytes.data();
    return event;
  }
  static Event Flush(uint64_t begin, uint64_t end, int err = 0, uint16_t device = 0) {
    Event event;
    event.kind = Kind::kFlush;
    event.device = device;
    event.begin = begin;
    event.end = end;
    event.err = err;
    return event;
  }
  static Event Mark(uint64_t number) {
    Event event;
    event.kind = Kind::kMark;
    event.begin = event.end = number;
    return event;
  }
  void Add(const Event& event) { CHECK(recording->Add(event).ok()); }

  std::shared_ptr<const Model> ModelOf(Model::Setting setting = {}) const {
    auto model = Model::Make(recording, std::move(setting));
    CHECK(model.ok());
    return model.Take();
  }

  std::shared_ptr<Recording> recording;
  std::vector<uint8_t> bytes;
};

// The first byte of each atom of all devices, as hexadecimal digits. Reads the state as a medium would be.
inline std::string TextOf(const std::shared_ptr<const Choice>& choice) {
  State state(choice);
  std::string text;
  for (uint16_t device = 0; device < choice->cut().model->recording().parts().size(); device++) {
    std::vector<uint8_t> bytes(static_cast<size_t>(state.SizeOf(device)));
    CHECK(state.ReadBytes(device, 0, bytes.data(), bytes.size()).ok());
    for (size_t at = 0; at < bytes.size(); at += kUnit) {
      text += "0123456789abcdef"[bytes[at] >> 4];
      text += "0123456789abcdef"[bytes[at] & 15];
      CHECK(bytes[at] == bytes[at + kUnit - 1]);
    }
  }
  return text;
}

// Every state of an exploration, as "marks:text".
inline std::set<std::string> StatesOf(const std::shared_ptr<const Model>& model, const Exploration& what) {
  auto explorer = Explorer::Make(model, what);
  CHECK(explorer.ok());
  std::set<std::string> states;
  while (const auto choice = explorer.value()->Next()) {
    const auto text = std::to_string(choice->cut().marks) + ":" + TextOf(choice);
    INFO("state " << text);
    CHECK(states.insert(text).second);  // none twice
  }
  return states;
}

}  // namespace blk::lab

#endif  // RUMPBLK_TEST_LAB_LAB_RIG_H_
