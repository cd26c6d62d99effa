// Engines: the ways to do a request, by name.
export const ENGINES = ['sync', 'batch', 'async', 'nbd', 'fs-sync', 'fs-callback', 'fs-promises', 'fio'] as const;
export type EngineName = (typeof ENGINES)[number];
/** The engines that run in our threads. */
export type OwnEngine = Exclude<EngineName, 'fio'>;

/** The engines of devices, which alone reach a medium. */
export const DEVICE_ENGINES: ReadonlySet<EngineName> = new Set<EngineName>(['sync', 'batch', 'async', 'nbd']);

/** What an engine is, for tables and pages. */
export const ENGINE_NOTES: Readonly<Record<EngineName, string>> = {
  sync: 'readSync and writeSync of a device',
  batch: 'runSync of a Batch with iodepth entries',
  async: 'read and write of a device, iodepth promises at a time',
  nbd: 'read and write of a device over NBD, from a server of this process, iodepth promises at a time',
  'fs-sync': 'readSync and writeSync of node:fs',
  'fs-callback': 'read and write of node:fs, iodepth callbacks at a time',
  'fs-promises': 'read and write of a FileHandle, iodepth promises at a time',
  fio: 'fio itself, with its own engine',
};

/** Engines that have one request in flight, whatever iodepth says. */
export function isSerial(engine: EngineName): boolean {
  return engine === 'sync' || engine === 'fs-sync';
}
