// The adapters through `import` from an ES module: their declarations there name the same types as those of `require`.
import * as copying from 'rumpblk/copy';
import * as fatfs from 'rumpblk/fatfs';
import * as fileDisk from 'rumpblk/file-disk';
import * as fs from 'rumpblk/fs';
import * as media from 'rumpblk/media';
import * as storage from 'rumpblk/random-access-storage';
import type { Equal, Expect } from './expect.js';

export type Same = [
  Expect<Equal<typeof copying.copy, (typeof import('rumpblk/copy', { with: { 'resolution-mode': 'require' } }))['copy']>>,
  Expect<Equal<typeof fatfs.fatfsDriver, (typeof import('rumpblk/fatfs', { with: { 'resolution-mode': 'require' } }))['fatfsDriver']>>,
  Expect<Equal<typeof fileDisk.DeviceDisk, (typeof import('rumpblk/file-disk', { with: { 'resolution-mode': 'require' } }))['DeviceDisk']>>,
  Expect<Equal<typeof fs.openFileHandle, (typeof import('rumpblk/fs', { with: { 'resolution-mode': 'require' } }))['openFileHandle']>>,
  Expect<Equal<fs.DeviceFileHandle, import('rumpblk/fs', { with: { 'resolution-mode': 'require' } }).DeviceFileHandle>>,
  Expect<Equal<typeof media.memory, (typeof import('rumpblk/media', { with: { 'resolution-mode': 'require' } }))['memory']>>,
  Expect<Equal<media.Medium, import('rumpblk/media', { with: { 'resolution-mode': 'require' } }).Medium>>,
  Expect<
    Equal<
      typeof storage.RandomAccessDevice,
      (typeof import('rumpblk/random-access-storage', { with: { 'resolution-mode': 'require' } }))['RandomAccessDevice']
    >
  >,
];
