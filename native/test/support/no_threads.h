// NoThreads: a host that gives no thread.
#ifndef RUMPBLK_TEST_SUPPORT_NO_THREADS_H_
#define RUMPBLK_TEST_SUPPORT_NO_THREADS_H_

#include <pthread.h>

#include <cstddef>

namespace blk::test {

// While it lives, no thread can be created: their stack would not fit the address space.
class NoThreads {
 public:
  NoThreads() {
    pthread_getattr_default_np(&before_);
    pthread_attr_t huge;
    pthread_attr_init(&huge);
    pthread_attr_setstacksize(&huge, size_t{1} << 50);
    pthread_setattr_default_np(&huge);
  }
  ~NoThreads() { pthread_setattr_default_np(&before_); }
  NoThreads(const NoThreads&) = delete;
  NoThreads& operator=(const NoThreads&) = delete;

 private:
  pthread_attr_t before_;
};

}  // namespace blk::test

#endif  // RUMPBLK_TEST_SUPPORT_NO_THREADS_H_
