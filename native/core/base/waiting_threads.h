// WaitingThreads: threads that may wait, for whoever must not: the thread of a medium that answers later.
#ifndef RUMPBLK_CORE_BASE_WAITING_THREADS_H_
#define RUMPBLK_CORE_BASE_WAITING_THREADS_H_

namespace blk {

class WaitingThreads {
 public:
  // Calls work(owner) once, on a thread that may wait. -> false, and it is not called: no thread is to be had.
  // Thread: any; it never waits.   REQUIRES: `owner` lives until it has been called.
  virtual bool Run(void (*work)(void* owner), void* owner) = 0;

 protected:
  ~WaitingThreads() = default;
};

}  // namespace blk

#endif  // RUMPBLK_CORE_BASE_WAITING_THREADS_H_
