// The mapped windows of a device as objects. Native maps, counts and evicts; this file only names what it hands over.

/** One mapped window of a device. */
export interface WindowInfo {
  /** First byte of the window in the host file. */
  offset: number;
  /** Bytes in the window. */
  length: number;
  /** Requests and views that use the window at this moment. */
  refs: number;
}

/** Names the numbers of `NativeDevice.windows()`, three a window. */
export function toWindows(values: Float64Array): WindowInfo[] {
  const windows: WindowInfo[] = [];
  for (let i = 0; i < values.length; i += 3) {
    const [offset = 0, length = 0, refs = 0] = values.subarray(i, i + 3);
    windows.push({ offset, length, refs });
  }
  return windows;
}
