// Contents: what atoms hold, each content once, by a number: found by hash, and compared. Not thread-safe while it is
// filled in; read by any thread afterwards.
#ifndef RUMPBLK_LAB_CONTENTS_H_
#define RUMPBLK_LAB_CONTENTS_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

namespace blk::lab {

// A number from 64 bits that has all of them in each of its own: the last steps of MurmurHash3.
constexpr uint64_t Mix(uint64_t n) {
  n = (n ^ (n >> 33)) * 0xff51afd7ed558ccdULL;
  n = (n ^ (n >> 33)) * 0xc4ceb9fe1a85ec53ULL;
  return n ^ (n >> 33);
}
constexpr uint64_t Mix(uint64_t a, uint64_t b) { return Mix(Mix(a + 0x9e3779b97f4a7c15ULL) + b); }

// Bytes of nobody, the same for the same seed.
void FillGarbage(uint32_t seed, uint8_t* bytes, size_t size);

// Bytes that a processor stores as one.
inline constexpr size_t kWord = 8;

class Contents {
 public:
  // Of `unit` bytes each.
  explicit Contents(size_t unit) : unit_(unit), table_(1024, 0) {}

  // -> the number of these bytes, which stay where they are.
  uint32_t Intern(const uint8_t* bytes);
  // The same of bytes that are copied if they are new.
  uint32_t InternCopy(const uint8_t* bytes);
  // A number that says what these bytes are, kept here or not: equal bytes have equal ones, of others no number of a
  // content that is kept.
  uint64_t NumberOf(const uint8_t* bytes) const;
  const uint8_t* operator[](uint32_t content) const { return bytes_[content]; }
  size_t unit() const { return unit_; }

 private:
  uint64_t HashOf(const uint8_t* bytes) const;
  // Where in the table it is, or is to be.
  size_t PlaceOf(uint64_t hash, const uint8_t* bytes) const;
  uint32_t AddAt(size_t place, uint64_t hash, const uint8_t* bytes);
  void Grow();

  const size_t unit_;
  std::vector<const uint8_t*> bytes_;
  std::vector<uint64_t> hashes_;
  std::vector<uint32_t> table_;  // number + 1 of a content; 0: free. A power of two
  std::deque<std::vector<uint8_t>> copies_;
};

}  // namespace blk::lab

#endif  // RUMPBLK_LAB_CONTENTS_H_
