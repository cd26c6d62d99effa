// What the figures were measured on.
import { readFileSync } from 'node:fs';
import os from 'node:os';

function read(file) {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return undefined;
  }
}

/** The choice in brackets of a file in /sys. */
const chosen = (file) => /\[(\w+)\]/.exec(read(file) ?? '')?.[1];

export function machine() {
  const [cpu] = os.cpus();
  const cpuinfo = read('/proc/cpuinfo') ?? '';
  const flags = /^flags\s*:(.*)$/m.exec(cpuinfo)?.[1].split(' ') ?? [];
  return {
    cpu: cpu?.model.trim() ?? 'unknown',
    cpus: os.cpus().length,
    // Copies into ordinary large Buffers are slow here, by anybody but this package: core/host/copy.h.
    slowAlignments: flags.includes('fsrm') && cpuinfo.includes('AuthenticAMD'),
    memoryGib: Math.round(os.totalmem() / 2 ** 30),
    kernel: `${os.type()} ${os.release()}`,
    node: process.version,
    hugepages: chosen('/sys/kernel/mm/transparent_hugepage/enabled'),
    load: os.loadavg().map((load) => Math.round(load * 10) / 10),
  };
}

export function describe({ cpu, cpus, memoryGib, kernel, node, load }) {
  return `${cpus} × ${cpu}, ${memoryGib} GiB, ${kernel}, Node ${node}, load ${load[0]}`;
}
