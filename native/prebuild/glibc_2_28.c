// What a prebuilt binary for glibc must not take from the glibc that it is built on: symbols younger than 2.28, the
// oldest glibc that Node.js 20 itself runs on. Functions of old that got a new symbol version when they moved between
// libraries are bound to their first version; the rest is put together from what 2.28 has. Linked by binding.gyp when
// prebuildify runs it, hidden from everything outside the addon; a build on the machine that uses it goes without.
// scripts/prebuild/check.mjs reads the result.
#define _GNU_SOURCE
#include <pthread.h>
#include <stdint.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>

#define HIDDEN __attribute__((visibility("hidden")))

// The version of the symbols that glibc has had on a processor from the beginning, and of its `struct stat`.
#if defined(__x86_64__)
#define FIRST "GLIBC_2.2.5"
#define STAT_VERSION 1
#elif defined(__aarch64__)
#define FIRST "GLIBC_2.17"
#define STAT_VERSION 0
#else
#error "no prebuilt binary for this processor"
#endif

// `first_NAME` is the symbol NAME of that version.
#define BIND(NAME, SYMBOL) __asm__(".symver first_" #NAME ", " #SYMBOL "@" FIRST)

// NAME(PARAMETERS) of its first version.
#define FIRST_VERSION(NAME, PARAMETERS, ARGUMENTS) \
  extern int first_##NAME PARAMETERS;              \
  BIND(NAME, NAME);                                \
  HIDDEN int NAME PARAMETERS { return first_##NAME ARGUMENTS; }

// 2.34 moved these from libpthread, which node of that time has loaded, to libc.
FIRST_VERSION(pthread_create,
              (pthread_t * thread, const pthread_attr_t* attributes, void* (*start)(void*), void* argument),
              (thread, attributes, start, argument))
FIRST_VERSION(pthread_join, (pthread_t thread, void** result), (thread, result))
FIRST_VERSION(pthread_detach, (pthread_t thread), (thread))
FIRST_VERSION(pthread_once, (pthread_once_t * control, void (*routine)(void)), (control, routine))
FIRST_VERSION(pthread_mutex_trylock, (pthread_mutex_t * mutex), (mutex))
FIRST_VERSION(pthread_rwlock_rdlock, (pthread_rwlock_t * lock), (lock))
FIRST_VERSION(pthread_rwlock_wrlock, (pthread_rwlock_t * lock), (lock))
FIRST_VERSION(pthread_rwlock_unlock, (pthread_rwlock_t * lock), (lock))
FIRST_VERSION(pthread_key_create, (pthread_key_t * key, void (*destructor)(void*)), (key, destructor))
FIRST_VERSION(pthread_key_delete, (pthread_key_t key), (key))
FIRST_VERSION(pthread_setspecific, (pthread_key_t key, const void* value), (key, value))

extern void* first_pthread_getspecific(pthread_key_t key);
BIND(pthread_getspecific, pthread_getspecific);
HIDDEN void* pthread_getspecific(pthread_key_t key) { return first_pthread_getspecific(key); }

// 2.34 moved these from libdl, which node of that time has loaded, to libc.
extern void* first_dlopen(const char* name, int flags);
BIND(dlopen, dlopen);
HIDDEN void* dlopen(const char* name, int flags) { return first_dlopen(name, flags); }

extern void* first_dlsym(void* library, const char* name);
BIND(dlsym, dlsym);
HIDDEN void* dlsym(void* library, const char* name) { return first_dlsym(library, name); }

// libstdc++ asks by this name, weakly, whether threads exist.
HIDDEN int __pthread_key_create(pthread_key_t* key, void (*destructor)(void*)) {
  return pthread_key_create(key, destructor);
}

// 2.30, for waits until a time of the steady clock. As libstdc++ does without it: the time that is left, by the clock
// of the condition variable. A clock that is set meanwhile makes one wait shorter or longer; who waits looks at its own
// clock afterwards.
HIDDEN int pthread_cond_clockwait(pthread_cond_t* condition, pthread_mutex_t* mutex, clockid_t clock,
                                  const struct timespec* until) {
  struct timespec now, deadline;
  clock_gettime(clock, &now);
  clock_gettime(CLOCK_REALTIME, &deadline);
  deadline.tv_sec += until->tv_sec - now.tv_sec;
  deadline.tv_nsec += until->tv_nsec - now.tv_nsec;
  if (deadline.tv_nsec < 0) {
    deadline.tv_nsec += 1000000000;
    deadline.tv_sec -= 1;
  } else if (deadline.tv_nsec >= 1000000000) {
    deadline.tv_nsec -= 1000000000;
    deadline.tv_sec += 1;
  }
  return pthread_cond_timedwait(condition, mutex, &deadline);
}

// 2.33 made functions of these; before they were inline calls with the version of the struct.
extern int first_xstat(int version, const char* path, struct stat64* result);
BIND(xstat, __xstat64);
HIDDEN int stat64(const char* path, struct stat64* result) { return first_xstat(STAT_VERSION, path, result); }

extern int first_fxstat(int version, int fd, struct stat64* result);
BIND(fxstat, __fxstat64);
HIDDEN int fstat64(int fd, struct stat64* result) { return first_fxstat(STAT_VERSION, fd, result); }

// 2.32: whether reference counts can do without atomic instructions. Node has threads.
HIDDEN char __libc_single_threaded = 0;

// 2.36, for std::random_device. getrandom() fails only before the kernel has gathered entropy once, and waits for that.
HIDDEN uint32_t arc4random(void) {
  uint32_t value = 0;
  while (getrandom(&value, sizeof value, 0) != (ssize_t)sizeof value) {
  }
  return value;
}
