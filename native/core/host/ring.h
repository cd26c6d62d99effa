// Ring: an io_uring of the kernel: what is to be done goes in as entries, what has been done comes out as answers. By
// the system calls themselves, without a library and without a header of the kernel's, which is older than the calls
// where the prebuilt binary is made. Not thread-safe: one thread at a time.
// A plain ring, on purpose: answers come whether or not the kernel goes on to take this thread's calls.
#ifndef RUMPBLK_CORE_HOST_RING_H_
#define RUMPBLK_CORE_HOST_RING_H_

#include <cstddef>
#include <cstdint>

namespace blk {

class Ring {
 public:
  // Entries that there is room for, and with that at most so many under way: answers always find room.
  static constexpr unsigned kEntries = 256;

  // Of the kernel's interface.
  enum class Opcode : uint8_t { kPollAdd = 6, kRead = 22, kWrite = 23 };

  struct Answer {
    uint64_t tag = 0;
    int32_t result = 0;
  };

  Ring() = default;
  ~Ring() { Close(); }
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;

  // -> 0 or a negative errno: EPERM, ENOSYS, ENOMEM and others as the kernel has them; EOPNOTSUPP, it is too old.
  int Open();
  // Idempotent. What is under way then is called off by the kernel, which may write into its memory still.
  void Close();

  // Puts in an entry. Units: bytes; for kPollAdd `size` is unused and `offset` the events.
  // REQUIRES: fewer than kEntries are in that the kernel has not taken.
  void Put(Opcode opcode, int fd, void* data, uint32_t size, uint64_t offset, uint64_t tag);
  // Entries that the kernel has not taken.
  unsigned Waiting() const;
  // Has the kernel take them, and waits for at least `wanted` answers. -> how many it took, or a negative errno.
  int Enter(unsigned wanted);
  // Takes back the last of the entries that the kernel has not taken. -> its tag.   REQUIRES: Waiting() > 0.
  uint64_t TakeBack();
  bool HasAnswer() const;
  // REQUIRES: HasAnswer().
  Answer Take();

  // Can be polled: readable when there is an answer.
  int fd() const { return fd_; }

 private:
  struct Entry;
  struct Completion;

  int Map();
  int CheckOpcodes() const;

  int fd_ = -1;
  void* rings_ = nullptr;
  size_t rings_size_ = 0;
  void* entries_memory_ = nullptr;
  size_t entries_size_ = 0;
  // In the memory that is shared with the kernel.
  uint32_t* sq_head_ = nullptr;
  uint32_t* sq_tail_ = nullptr;
  uint32_t sq_mask_ = 0;
  uint32_t* cq_head_ = nullptr;
  uint32_t* cq_tail_ = nullptr;
  uint32_t cq_mask_ = 0;
  Entry* entries_ = nullptr;
  const Completion* completions_ = nullptr;
};

}  // namespace blk

#endif  // RUMPBLK_CORE_HOST_RING_H_
