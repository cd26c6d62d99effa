// rumpblk/fs: everything that callers may use of it.
export { openFileHandle } from './fs/file-handle.js';
export { createReadStream, createWriteStream } from './fs/device-streams.js';

export type { DeviceFileHandle, FileHandleOptions } from './fs/file-handle.js';
export type { FileTransferOptions } from './fs/arguments.js';
export type { ReadStreamOptions, WebReadStreamOptions, WebWriteStreamOptions, WriteStreamOptions } from './fs/options.js';
export type { DeviceReadStream } from './fs/read-stream.js';
export type { DeviceWriteStream } from './fs/write-stream.js';
export type { DeviceStats } from './fs/stats.js';
