// Catching what a call throws or rejects with, so that a test can look at all of it.
import { inspect } from 'node:util';
import { expect } from '@jest/globals';
import { BlockDeviceError } from 'rumpblk';

/** What `action` throws or its promise rejects with. A call that succeeds fails the test. */
export async function thrownBy(action: () => unknown): Promise<unknown> {
  let value: unknown;
  try {
    value = await action();
  } catch (error) {
    return error;
  }
  throw new Error(`expected a failure, got ${inspect(value)}`);
}

/** The same for an error of the device or the host, whose code is one of `codes`. */
export async function failure(action: () => unknown, ...codes: string[]): Promise<BlockDeviceError> {
  const error = await thrownBy(action);
  expect(error).toBeInstanceOf(BlockDeviceError);
  if (codes.length > 0) expect(codes).toContain((error as BlockDeviceError).code);
  return error as BlockDeviceError;
}

/** The code of a refusal of an argument; anything but Node's own shape of it fails the test. */
export async function refusal(action: () => unknown): Promise<string> {
  const error = await thrownBy(action);
  expect(error).not.toBeInstanceOf(BlockDeviceError);
  const { code, name } = error as NodeJS.ErrnoException;
  expect(`${name} ${code}`).toMatch(/^(TypeError ERR_INVALID_ARG_(TYPE|VALUE)|RangeError ERR_OUT_OF_RANGE)$/);
  return code as string;
}
