// NoThreads and OneThread: a host that gives no thread, or one.
#ifndef RUMPBLK_TEST_SUPPORT_NO_THREADS_H_
#define RUMPBLK_TEST_SUPPORT_NO_THREADS_H_

#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstddef>
#include <fstream>

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

// While it lives, one thread can be created, and no other: the address space has room for one and a half of their
// stacks. Nothing else that takes room is to be made meanwhile.
class OneThread {
 public:
  OneThread() {
    constexpr size_t kStack = size_t{1} << 30;
    pthread_getattr_default_np(&attributes_);
    pthread_attr_t large;
    pthread_attr_init(&large);
    pthread_attr_setstacksize(&large, kStack);
    pthread_setattr_default_np(&large);
    getrlimit(RLIMIT_AS, &space_);
    size_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    rlimit limit = space_;
    limit.rlim_cur = pages * static_cast<size_t>(sysconf(_SC_PAGESIZE)) + kStack + kStack / 2;
    setrlimit(RLIMIT_AS, &limit);
  }
  ~OneThread() {
    setrlimit(RLIMIT_AS, &space_);
    pthread_setattr_default_np(&attributes_);
  }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  pthread_attr_t attributes_;
  rlimit space_;
};

}  // namespace blk::test

#endif  // RUMPBLK_TEST_SUPPORT_NO_THREADS_H_
