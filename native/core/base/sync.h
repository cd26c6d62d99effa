// Mutex, MutexLock and CondVar with clang's thread-safety annotations; std::mutex underneath.
// Every locked field in core says GUARDED_BY, and clang checks it with -Wthread-safety -Werror.
#ifndef RUMPBLK_CORE_BASE_SYNC_H_
#define RUMPBLK_CORE_BASE_SYNC_H_

#include <condition_variable>
#include <mutex>

#if defined(__clang__)
#define BLK_ANNOTATE(x) __attribute__((x))
#else
#define BLK_ANNOTATE(x)
#endif

#define CAPABILITY(name) BLK_ANNOTATE(capability(name))
#define SCOPED_CAPABILITY BLK_ANNOTATE(scoped_lockable)
#define GUARDED_BY(mu) BLK_ANNOTATE(guarded_by(mu))
#define PT_GUARDED_BY(mu) BLK_ANNOTATE(pt_guarded_by(mu))
#define REQUIRES(...) BLK_ANNOTATE(requires_capability(__VA_ARGS__))
#define EXCLUDES(...) BLK_ANNOTATE(locks_excluded(__VA_ARGS__))
#define ACQUIRE(...) BLK_ANNOTATE(acquire_capability(__VA_ARGS__))
#define RELEASE(...) BLK_ANNOTATE(release_capability(__VA_ARGS__))
#define NO_THREAD_SAFETY_ANALYSIS BLK_ANNOTATE(no_thread_safety_analysis)

namespace blk {

class CAPABILITY("mutex") Mutex {
 public:
  Mutex() = default;
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  void Lock() ACQUIRE() { mu_.lock(); }
  void Unlock() RELEASE() { mu_.unlock(); }

 private:
  friend class CondVar;
  std::mutex mu_;
};

// Holds a Mutex for a scope. Unlock() and Lock() let the scope step out, for a system call or a callback.
class SCOPED_CAPABILITY MutexLock {
 public:
  explicit MutexLock(Mutex& mu) ACQUIRE(mu) : mu_(mu) { mu_.Lock(); }
  ~MutexLock() RELEASE() {
    if (held_) mu_.Unlock();
  }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

  void Unlock() RELEASE() {
    held_ = false;
    mu_.Unlock();
  }
  void Lock() ACQUIRE() {
    mu_.Lock();
    held_ = true;
  }

 private:
  Mutex& mu_;
  bool held_ = true;
};

class CondVar {
 public:
  // Releases `mu`, waits for a notification or a spurious wake-up, takes `mu` again: callers loop on their condition.
  void Wait(Mutex& mu) REQUIRES(mu) {
    std::unique_lock<std::mutex> lock(mu.mu_, std::adopt_lock);
    cv_.wait(lock);
    lock.release();
  }
  void NotifyOne() { cv_.notify_one(); }
  void NotifyAll() { cv_.notify_all(); }

 private:
  std::condition_variable cv_;
};

}  // namespace blk

#endif  // RUMPBLK_CORE_BASE_SYNC_H_
