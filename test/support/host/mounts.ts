// File systems of the host that are full or fail, mounted for one child process and gone with it.
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { reportsFrom } from '../child';
import { ability, peer, run, type Need } from '../peers';

const FUSE_HEADER = '/usr/include/fuse3/fuse.h';
const COMPILE = `cc -O1 -Wall -D_FILE_OFFSET_BITS=64 -I/usr/include/fuse3 '${path.join(__dirname, 'badfile.c')}' -o "$0.fuse" -lfuse3`;

/** Ways to mount something on `$1`, in a shell whose mounts are its own; `$0` begins the names of what else they make. */
const MOUNT = {
  tmpfs: 'mount -t tmpfs -o size=4M none "$1"',
  ext4: 'truncate -s 8M "$0.img" && mkfs.ext4 -q -F -m 0 "$0.img" && mount -o loop "$0.img" "$1"',
  // Its process ends when it is unmounted, which is when the shell ends.
  badfile: `${COMPILE} && { "$0.fuse" 4194304 "$1" & trap 'umount "$1"; wait' EXIT; until [ -e "$1/file" ]; do sleep 0.02; done; }`,
};
export type MountName = keyof typeof MOUNT;

function inShell(name: MountName, folder: string): string[] {
  const script = `mkdir "$1" && ${MOUNT[name]} && { mounted="$1"; shift; "$@"; status=$?; set -- "$mounted"; exit $status; }`;
  return ['unshare', '-m', 'sh', '-c', script, path.join(folder, 'scratch'), path.join(folder, 'mounted')];
}

function withFolder<T>(use: (folder: string) => T): T {
  const folder = mkdtempSync(path.join(tmpdir(), 'rumpblk-host-'));
  const clean = (): void => rmSync(folder, { recursive: true, force: true });
  let result: T | undefined;
  try {
    return (result = use(folder));
  } finally {
    if (result instanceof Promise) void result.then(clean, clean);
    else clean();
  }
}

/** What a test on such a file system needs. */
export function needsOf(name: MountName): Need[] {
  const header = { met: existsSync(FUSE_HEADER), why: `${FUSE_HEADER} is missing: apt-get install libfuse3-dev`, installable: true };
  const tools = {
    tmpfs: [],
    ext4: [peer('mkfs.ext4', 'e2fsprogs')],
    badfile: [peer('cc', 'build-essential'), header],
  }[name];
  const needs = [peer('unshare', 'util-linux'), ...tools];
  if (needs.some(({ met }) => !met)) return needs;
  const mounts = ability(`right to mount ${name}`, () =>
    withFolder((folder) => {
      const [program = '', ...rest] = inShell(name, folder);
      return run(program, ...rest, 'echo', 'mounted').includes('mounted');
    }),
  );
  return [...needs, mounts];
}

/** Runs the script in a child for which `name` is mounted on `args.folder`. -> what it reported. */
export function reportsOn(name: MountName, script: string, args: object): Promise<any[]> {
  return withFolder((folder) =>
    reportsFrom(script, { args: { ...args, folder: path.join(folder, 'mounted') }, under: inShell(name, folder) }),
  );
}
