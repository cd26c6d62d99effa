// Mutex, MutexLock and CondVar with clang's thread-safety annotations; std::mutex underneath.
// Every locked field in core says GUARDED_BY, and clang checks it with -Wthread-safety -Werror; other compilers see no
// annotations. Which lock is taken before which stands in the header of each class and, as a table, in
// docs/internals.md.
#ifndef RUMPBLK_CORE_BASE_SYNC_H_
#define RUMPBLK_CORE_BASE_SYNC_H_

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <shared_mutex>
#include <thread>

// std::mutex has no annotations of its own in the C++ library that is used here, which is why it is wrapped at all.
#if defined(__clang__)
#define BLK_ANNOTATE(x) __attribute__((x))
#else
#define BLK_ANNOTATE(x)
#endif

// Of types: something that is held, and an object that holds it for a scope.
#define CAPABILITY(name) BLK_ANNOTATE(capability(name))
#define SCOPED_CAPABILITY BLK_ANNOTATE(scoped_lockable)
// Of fields: what must be held to touch the field, or what it points to.
#define GUARDED_BY(mu) BLK_ANNOTATE(guarded_by(mu))
#define PT_GUARDED_BY(mu) BLK_ANNOTATE(pt_guarded_by(mu))
// Of functions: called with the lock, called without it, takes it, gives it back.
#define REQUIRES(...) BLK_ANNOTATE(requires_capability(__VA_ARGS__))
#define EXCLUDES(...) BLK_ANNOTATE(locks_excluded(__VA_ARGS__))
#define ACQUIRE(...) BLK_ANNOTATE(acquire_capability(__VA_ARGS__))
#define RELEASE(...) BLK_ANNOTATE(release_capability(__VA_ARGS__))
// The same for a lock that several threads may share.
#define REQUIRES_SHARED(...) BLK_ANNOTATE(requires_shared_capability(__VA_ARGS__))
#define ACQUIRE_SHARED(...) BLK_ANNOTATE(acquire_shared_capability(__VA_ARGS__))
#define RELEASE_SHARED(...) BLK_ANNOTATE(release_shared_capability(__VA_ARGS__))
// Of functions that clang cannot follow: one that steps out of a lock which its caller holds.
#define NO_THREAD_SAFETY_ANALYSIS BLK_ANNOTATE(no_thread_safety_analysis)

namespace blk {

// Tells the processor that this thread only looks whether something has changed.
inline void Relax() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

// Looks for at most `limit` whether `done()`, without sleeping: for what is likely to come sooner than a thread can be
// put to sleep and woken. Not at all on a host with one processor, where it cannot come meanwhile.
// -> whether it was; not asked again once it was.
template <typename Done>
bool SpinUntil(std::chrono::nanoseconds limit, Done&& done) {
  static const bool alone = std::thread::hardware_concurrency() == 1;
  if (alone) return false;
  const auto deadline = std::chrono::steady_clock::now() + limit;
  do {
    for (int i = 0; i < 5; i++) {
      if (done()) return true;
      Relax();
    }
  } while (std::chrono::steady_clock::now() < deadline);
  return false;
}

// Mutual exclusion. Not recursive: a thread that takes it twice stops for ever. Fair to nobody: who asks first need not
// get it first. Lock() and Unlock() are for MutexLock, which is what everybody else uses.
// A thread that finds it taken looks for a moment before it sleeps: most are held for less time than a thread needs to
// fall asleep and to be woken.
class CAPABILITY("mutex") Mutex {
 public:
  Mutex() = default;
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  void Lock() ACQUIRE() {
    if (!mu_.try_lock()) LockTaken();
  }
  void Unlock() RELEASE() { mu_.unlock(); }

 private:
  // The C++ library's condition variable waits on its own kind of mutex.
  friend class CondVar;

  static constexpr std::chrono::microseconds kLook{2};

  // For one that another thread held just now. Kept out of where it is locked.
  [[gnu::noinline]] void LockTaken() {
    if (!SpinUntil(kLook, [&] { return mu_.try_lock(); })) mu_.lock();
  }

  std::mutex mu_;
};

// Holds a Mutex for a scope. Unlock() and Lock() let the scope step out, for a system call or a callback; the end of
// the scope gives back what is held then. Used by the thread that made it.
class SCOPED_CAPABILITY MutexLock {
 public:
  explicit MutexLock(Mutex& mu) ACQUIRE(mu) : mu_(mu) { mu_.Lock(); }
  ~MutexLock() RELEASE() {
    if (held_) mu_.Unlock();
  }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

  // REQUIRES: it is held. What was read under it is old news when Lock() comes back: look again.
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

// A lock that any number of readers share, or one writer has. Not recursive. For WriterLock and ReaderLock.
class CAPABILITY("mutex") SharedMutex {
 public:
  SharedMutex() = default;
  SharedMutex(const SharedMutex&) = delete;
  SharedMutex& operator=(const SharedMutex&) = delete;

  void Lock() ACQUIRE() { mu_.lock(); }
  void Unlock() RELEASE() { mu_.unlock(); }
  void LockShared() ACQUIRE_SHARED() { mu_.lock_shared(); }
  void UnlockShared() RELEASE_SHARED() { mu_.unlock_shared(); }

 private:
  std::shared_mutex mu_;
};

// Hold a SharedMutex for a scope: alone, and with other readers. Used by the thread that made it.
class SCOPED_CAPABILITY WriterLock {
 public:
  explicit WriterLock(SharedMutex& mu) ACQUIRE(mu) : mu_(mu) { mu_.Lock(); }
  ~WriterLock() RELEASE() { mu_.Unlock(); }
  WriterLock(const WriterLock&) = delete;
  WriterLock& operator=(const WriterLock&) = delete;

 private:
  SharedMutex& mu_;
};
class SCOPED_CAPABILITY ReaderLock {
 public:
  explicit ReaderLock(SharedMutex& mu) ACQUIRE_SHARED(mu) : mu_(mu) { mu_.LockShared(); }
  ~ReaderLock() RELEASE() { mu_.UnlockShared(); }
  ReaderLock(const ReaderLock&) = delete;
  ReaderLock& operator=(const ReaderLock&) = delete;

 private:
  SharedMutex& mu_;
};

// Waits for a change to what one Mutex guards. Always with the same Mutex.
class CondVar {
 public:
  // Releases `mu`, waits for a notification or a spurious wake-up, takes `mu` again: callers loop on their condition.
  void Wait(Mutex& mu) REQUIRES(mu) {
    // Adopted, since the caller holds it, and released again below, since the caller still does: this scope only lends
    // it to the wait.
    std::unique_lock<std::mutex> lock(mu.mu_, std::adopt_lock);
    cv_.wait(lock);
    lock.release();
  }
  // The same, but not beyond `until`.
  void WaitUntil(Mutex& mu, std::chrono::steady_clock::time_point until) REQUIRES(mu) {
    std::unique_lock<std::mutex> lock(mu.mu_, std::adopt_lock);
    cv_.wait_until(lock, until);
    lock.release();
  }
  // Wakes one, or all, of those that wait. With or without the mutex held.
  void NotifyOne() { cv_.notify_one(); }
  void NotifyAll() { cv_.notify_all(); }

 private:
  std::condition_variable cv_;
};

}  // namespace blk

#endif  // RUMPBLK_CORE_BASE_SYNC_H_
