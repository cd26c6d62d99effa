// Requests in flight: lanes that each do one request after the other, with promises or with callbacks.
import { read as readCallback } from 'node:fs';

export const BLOCK = 4096;

/** `depth` lanes, each with memory of its own, round the ring of positions. `request(memory, position)` returns a promise. */
export function promiseLanes(at, depth, request, memoryOf = () => Buffer.alloc(BLOCK)) {
  const mask = at.length - 1;
  const memory = Array.from({ length: depth }, memoryOf);
  const last = new Array(depth);
  const lane = async (index, from, to) => {
    const mine = memory[index];
    let position;
    for (let i = from + index; i < to; i += depth) {
      position = at[i & mask];
      await request(mine, position);
    }
    last[index] = position;
  };
  const run = (from, to) => (depth === 1 ? lane(0, from, to) : Promise.all(memory.map((_, index) => lane(index, from, to))));
  return { run, memory, last, group: depth };
}

/** The same with fs.read and callbacks: the least that node:fs costs off the JavaScript thread. */
export function callbackLanes(at, depth, fd) {
  const mask = at.length - 1;
  const memory = Array.from({ length: depth }, () => Buffer.alloc(BLOCK));
  const last = new Array(depth);
  const run = (from, to) =>
    new Promise((resolve, reject) => {
      let open = depth;
      const lane = (index, i) => {
        if (i >= to) {
          open -= 1;
          if (open === 0) resolve();
          return;
        }
        last[index] = at[i & mask];
        readCallback(fd, memory[index], 0, BLOCK, at[i & mask], (error) => {
          if (error) reject(error);
          else lane(index, i + depth);
        });
      };
      for (let index = 0; index < depth; index += 1) lane(index, from + index);
    });
  return { run, memory, last, group: depth };
}
