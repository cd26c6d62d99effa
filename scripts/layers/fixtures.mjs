// The self-test of check-layers: breaches that it has to find, and sound code that it has to pass.

/** File, text, and a part of the message; null: no breach. @type {[string, string, string | null][]} */
export const FIXTURES = [
  ['native/core/base/a.h', '#include "core/host/mapping.h"', 'core/base includes core/host/mapping.h'],
  ['native/core/request/a.cc', '#include "core/device/device.h"', 'core/request includes'],
  ['native/core/request/a.cc', '#include "core/window/window.h"\n#include "core/request/buf.h"', null],
  ['native/core/device/a.cc', '#include "addon/args.h"', 'core includes addon/args.h'],
  ['native/core/device/a.cc', '#include "serve/judge.h"', 'core includes serve/judge.h'],
  ['native/serve/a.cc', '#include "addon/args.h"', 'serve includes addon/args.h'],
  ['native/serve/a.cc', '#include "core/device/device.h"', null],
  ['native/serve/a.cc', '#include <sys/socket.h>', 'outside core/host'],
  ['native/core/util/a.cc', 'int F();', 'is no floor'],
  ['native/core/request/a.cc', '#  include <unistd.h>', 'outside core/host'],
  ['native/addon/a.cc', '#include <sys/mman.h>', 'outside core/host'],
  ['native/core/host/a.cc', '#include <sys/mman.h>\n#include <fcntl.h>', null],
  ['native/addon/a.cc', '#include <napi.h>', 'outside addon/napi_setup.h'],
  ['native/core/base/a.h', '#include <uv.h>', 'outside addon/napi_setup.h'],
  ['native/addon/napi_setup.h', '#include <napi.h>', null],
  ['native/addon/a.cc', 'void F() { Napi::TypeError::New(env, "x"); }', 'lib/errors.ts alone'],
  ['native/addon/a.cc', 'void F() { napi_throw_error(env, nullptr, "x"); }', 'lib/errors.ts alone'],
  ['native/addon/a.cc', '// No Napi::Error here.\nvoid F();', null],
  ['native/core/request/a.cc', 'void F() { printf("x"); }', 'prints nothing'],

  ['native/core/request/a.cc', 'namespace blk { int g_count = 0; }', 'int g_count = 0'],
  ['native/core/request/a.cc', 'namespace blk { namespace { std::vector<int> table; } }', 'std::vector<int> table'],
  ['native/serve/a.cc', 'namespace blk::serve { int g_count = 0; }', 'int g_count = 0'],
  ['native/lab/a.cc', 'namespace blk::lab { static Mutex mu; }', 'static Mutex mu'],
  ['native/core/request/a.cc', 'namespace blk { std::atomic<int> n{0}; }', 'std::atomic<int> n{0}'],
  ['native/core/request/a.cc', 'namespace blk { thread_local char scratch[16]; }', 'scratch'],
  ['native/core/request/a.cc', 'const char* g_name = nullptr;', 'g_name'],
  ['native/core/request/a.cc', 'namespace blk { Foo g(1, 2), h; inline Mutex mu; }', 'inline Mutex mu'],
  ['native/core/request/a.cc', 'int Next() {\n  static int n = 0;\n  return ++n;\n}', 'static int n'],
  ['native/core/request/a.h', 'class A {\n public:\n  static int live;\n};', 'static int live'],
  ['native/core/host/page_guard.cc', 'static int g_slots;', null],
  [
    'native/core/request/a.h',
    `namespace blk {
enum class Kind : uint8_t { kOne, kTwo };
inline constexpr int kLimit = 3;
constexpr int kTable[] = {1, 2};
const char* const kName = "x;{";
class Mutex;
class CAPABILITY("mutex") A final : public B {
 public:
  static Result<A> Create(HostIo& host);
  explicit A(int n) : n_(n), m_{n} {}
  static constexpr size_t kLanes = 16;
  int Get() const REQUIRES(mu_) { for (int i = 0; i < 3; ++i) { if (i) return i; } return n_; }
 private:
  mutable Mutex mu_;
  int n_ GUARDED_BY(mu_) = 0;
  std::array<int, 3> m_{};
};
int Free(int a, int b = 3);
template <typename T> T* Pick(T* a) { static const size_t size = 4; return a + size; }
auto Lambda() { return [n = 1]() mutable { int x = n; return x; }; }
using Pair = std::pair<int, int>;
static_assert(sizeof(Pair) == 8);
}`,
    null,
  ],

  ['lib/errors.ts', "import { open } from './open.js';", 'which is above it'],
  ['lib/device.ts', "import { binding } from './native/binding.js';\nimport type { A } from './driver.js';", null],
  ['lib/novel.ts', "import { binding } from './native/binding.js';", 'is on no floor'],
  [
    'lib/cli/info.ts',
    "import { binding } from '../native/binding.js';",
    'lib/cli imports index.js, lab.js, lab/inspection.js, media.js, nbd.js, overlay.js, trace.js, arguments/printable.js, copy/compare.js, copy/copy.js, copy/kinds.js, copy/options.js, device-content.js alone',
  ],
  [
    'lib/cli/info.ts',
    "import { copy } from '../adapters/copy.js';",
    'lib/cli imports index.js, lab.js, lab/inspection.js, media.js, nbd.js, overlay.js, trace.js, arguments/printable.js, copy/compare.js, copy/copy.js, copy/kinds.js, copy/options.js, device-content.js alone',
  ],
  ['lib/novel/a.ts', "import { open } from '../index.js';", 'is on no floor'],
  ['lib/adapters/fs/a.ts', "import { binding } from '../../native/binding.js';", 'lib/adapters imports'],
  ['lib/adapters/a.ts', "import { handleOf } from '../device.js';\nimport { a } from './fs/a.js';", null],
  ['lib/cli/info.ts', "import { open } from '../index.js';\nimport { a } from './demo/a.js';", null],
  ['lib/cli/info.ts', "import { Command } from 'commander';", 'commander is no dependency'],
  ['lib/cli/bundled/commander.ts', "export { Command } from 'commander';", null],
  ['lib/adapters/fatfs.ts', "import type { Driver } from 'fatfs';\nimport { once } from 'node:events';", null],
  ['lib/device.ts', "process.dlopen(module, 'x');", 'loads the addon'],
  ['test/a.test.ts', "import gyp from 'node-gyp-build';", 'loads the addon'],
  ['test/a.test.ts', "import { open } from '../dist/index.js';", "import 'rumpblk'"],
  ['test/support/a.ts', "import { open } from 'rumpblk';", null],

  ['native/core/device/a.cc', 'int fd = eventfd(0, 0);', 'of Linux alone'],
  ['native/lab/a.cc', 'long n = syscall(SYS_gettid);', 'of Linux alone'],
  ['native/serve/a.cc', 'Open("/proc/self/maps");', 'of Linux alone'],
  ['native/core/host/a.cc', 'Open("/proc/self/maps"); eventfd(0, 0);', null],
  ['native/core/device/a.h', '// As /proc/self says, "/proc/self": O_DIRECT.\nvoid Splice(list l);', null],
  ['lib/open.ts', 'readFileSync(`/proc/${pid}/comm`);', 'of Linux alone'],
  ['lib/open.ts', "// '/dev/sda' is a node\n/** @example open('/dev/sda') */\nconst a = 'a/proc/b';", null],
  ['lib/errors.ts', 'const a = 1;', 'knows nothing of Linux'],

  ['lib/open.ts', 'a;\n'.repeat(301), '301 lines'],
  ['lib/open.ts', 'a;\n'.repeat(300), null],
  ['lib/open.ts', `// Over 300 lines: one table.\n${'a;\n'.repeat(301)}`, null],
];
