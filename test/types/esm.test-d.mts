// The package through `import` from an ES module: its declarations there name the same types as those of `require`.
import * as rumpblk from 'rumpblk';
import { BlockDevice, BlockDeviceError, BlockDriver, open, openSync, type OpenOptions } from 'rumpblk';
import type { Equal, Expect } from './expect.js';

type Required = typeof import('rumpblk', { with: { 'resolution-mode': 'require' } });

export type Values = Expect<Equal<keyof typeof rumpblk, keyof Required>>;
export type SameClass = [
  Expect<Equal<InstanceType<typeof BlockDriver>, InstanceType<Required['BlockDriver']>>>,
  Expect<Equal<BlockDevice, ReturnType<Required['openSync']>>>,
  Expect<Equal<typeof open, Required['open']>>,
  Expect<Equal<typeof openSync, Required['openSync']>>,
  Expect<Equal<typeof BlockDeviceError, Required['BlockDeviceError']>>,
];
export const options: OpenOptions = { mode: 'r' };
