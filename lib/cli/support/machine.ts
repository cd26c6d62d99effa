// The machine that figures were taken on.
import os from 'node:os';

export interface Machine {
  node: string;
  platform: string;
  cpu: string;
  cpus: number;
}

export function machine(): Machine {
  const cpus = os.cpus();
  return {
    node: process.version,
    platform: `${process.platform}-${process.arch}`,
    cpu: cpus[0]?.model.trim() ?? 'unknown',
    cpus: cpus.length,
  };
}
