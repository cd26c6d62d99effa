// startTrace(): one trace of several devices, in one order.
import { handleOf, type BlockDevice } from '../device.js';
import { listOf } from '../arguments/validate.js';
import { invalidArgValue } from '../errors.js';
import { traceOf, type Trace, type TraceOptions } from './trace.js';

const MOST_DEVICES = 65536;

/**
 * Traces several devices as one, as `device.trace()` does it for one: their requests come in one order.
 *
 * @param devices 1 to 65536 devices, each once; of any drivers
 * @param options `limit`, default 2^20 requests; `keep`, default true
 * @returns the trace; `device` of each request is its index
 * @throws {BlockDeviceError} EBUSY one of them is traced already; EBADF closed
 *
 * @example
 * using trace = startTrace([device]);
 * await save(device);
 * for (const event of trace.events()) if (event.op !== 'mark') console.log(event.device, event.op, event.latency);
 */
export function startTrace(devices: readonly BlockDevice[], options?: TraceOptions): Trace {
  const handles = listOf(devices, 'devices', MOST_DEVICES, (device) => handleOf(device, 'trace'));
  if (handles.length === 0) throw invalidArgValue('devices', devices, 'must not be empty');
  return traceOf(handles, devices, options);
}
