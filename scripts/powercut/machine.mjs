// The virtual machine of the power cut test: Debian's kernel, unpacked and not installed, and an initramfs with busybox, this
// node, the package as it is built, and the writers. What is made is kept in .cache, but for the initramfs.
import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, copyFileSync, cpSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { ROOT } from '../support/run.mjs';

const CACHE = path.join(ROOT, '.cache', 'powercut');
/** What has to be there, in an order in which each finds those before it; a kernel may have some of it built in. */
const MODULES = [
  ...['drivers/virtio/virtio_ring', 'drivers/virtio/virtio', 'drivers/virtio/virtio_pci_legacy_dev'],
  ...['drivers/virtio/virtio_pci_modern_dev', 'drivers/virtio/virtio_pci', 'drivers/block/virtio_blk'],
  ...['lib/crc16', 'fs/mbcache', 'fs/jbd2/jbd2', 'crypto/crc32c_generic', 'fs/ext4/ext4'],
];

const INIT = `#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sysfs /sys
/bin/busybox mount -t devtmpfs devtmpfs /dev
for module in ${MODULES.map((file) => path.basename(file)).join(' ')}; do
  if [ -e /modules/$module.ko ]; then /bin/busybox insmod /modules/$module.ko; fi
done
/bin/busybox mount -t ext4 /dev/vda /disk || echo FAILED mount
/bin/busybox mount -t ext4 /dev/vdc /slow || echo FAILED mount
exec /bin/node /app/guest.cjs
`;

/** The kernel that Debian's newest package of this name depends on. -> its folder. */
function unpackKernel() {
  const depends = execFileSync('apt-cache', ['depends', 'linux-image-cloud-amd64'], { encoding: 'utf8' });
  const name = /Depends: (linux-image-\S+)/.exec(depends)?.[1];
  if (name === undefined) throw new Error('apt knows no linux-image-cloud-amd64: apt-get update');
  const folder = path.join(CACHE, name);
  if (existsSync(path.join(folder, 'boot'))) return folder;
  mkdirSync(folder, { recursive: true });
  execFileSync('apt-get', ['download', name], { cwd: folder, stdio: 'pipe' });
  const [archive] = readdirSync(folder).filter((file) => file.endsWith('.deb'));
  execFileSync('dpkg-deb', ['-x', archive, '.'], { cwd: folder });
  return folder;
}

function copyTo(root, from, to = from) {
  mkdirSync(path.dirname(path.join(root, to)), { recursive: true });
  copyFileSync(from, path.join(root, to));
}

/** Copies this node with the libraries that it is linked with. */
function copyNode(root) {
  copyTo(root, process.execPath, '/bin/node');
  const linked = execFileSync('ldd', [process.execPath], { encoding: 'utf8' });
  for (const [, file] of linked.matchAll(/(\/\S+) \(0x/g)) copyTo(root, file);
}

function copyPackage(root) {
  const modules = path.join(root, 'app', 'node_modules');
  const own = path.join(modules, 'rumpblk');
  for (const part of ['dist', 'package.json']) cpSync(path.join(ROOT, part), path.join(own, part), { recursive: true });
  copyTo(own, path.join(ROOT, 'build', 'Release', 'rumpblk.node'), '/build/Release/rumpblk.node');
  cpSync(path.join(ROOT, 'node_modules', 'node-gyp-build'), path.join(modules, 'node-gyp-build'), { recursive: true });
  for (const file of ['guest.cjs', 'records.cjs']) copyTo(path.join(root, 'app'), path.join(ROOT, 'scripts', 'powercut', file), `/${file}`);
}

/** Makes kernel and initramfs in `folder`. @returns {{ kernel: string, initramfs: string }} */
export function makeMachine(folder) {
  const unpacked = unpackKernel();
  const [release] = readdirSync(path.join(unpacked, 'lib', 'modules'));
  const root = path.join(folder, 'root');
  for (const empty of ['proc', 'sys', 'dev', 'disk', 'slow', 'tmp']) mkdirSync(path.join(root, empty), { recursive: true });
  const modules = path.join(unpacked, 'lib', 'modules', release, 'kernel');
  const there = MODULES.filter((file) => existsSync(path.join(modules, `${file}.ko`)));
  for (const file of there) copyTo(root, path.join(modules, `${file}.ko`), `/modules/${path.basename(file)}.ko`);
  copyTo(root, execFileSync('which', ['busybox'], { encoding: 'utf8' }).trim(), '/bin/busybox');
  copyNode(root);
  copyPackage(root);
  writeFileSync(path.join(root, 'init'), INIT);
  chmodSync(path.join(root, 'init'), 0o755);
  const initramfs = path.join(folder, 'initramfs');
  execFileSync('sh', ['-c', 'find . | cpio --quiet -o -H newc > "$1"', 'sh', initramfs], { cwd: root });
  return { kernel: path.join(unpacked, 'boot', `vmlinuz-${release}`), initramfs };
}

/** Starts the machine with these disks, each a socket of an NBD server. @returns the process; its output is the console */
export function startMachine({ kernel, initramfs }, sockets) {
  const drives = sockets.flatMap((socket) => ['-drive', `file=nbd:unix:${socket},format=raw,if=virtio,cache=none`]);
  // Without the check: on a busy host the emulated timer comes too late for it, and the kernel gives up.
  const args = [
    ...['-accel', 'tcg', '-m', '1024', '-nographic', '-no-reboot', '-nic', 'none', '-kernel', kernel, '-initrd', initramfs],
    ...['-append', 'console=ttyS0 panic=-1 quiet no_timer_check', ...drives],
  ];
  return spawn('qemu-system-x86_64', args, { stdio: ['ignore', 'pipe', 'pipe'] });
}
