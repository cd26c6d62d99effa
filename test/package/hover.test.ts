// Types that teach: an editor that shows a public name shows what it means, its defaults, its errors and an example.
import { describe, expect, test } from '@jest/globals';
import { hovers, type Hover } from '../support/hover';

const all = hovers();
/** Shapes of other packages, which the adapters are made to fit; their own pages tell of them. */
const FOREIGN = /^(Dom\w+|RandomAccessStorage)(\.|$)/;
/** Calls that are made to the signatures of another package. */
const own = all.filter(({ path }) => !FOREIGN.test(path));
const calls = own.filter(({ kind }) => kind === 'call');

const namesOf = (found: readonly Hover[]): string[] => [...new Set(found.map(({ path }) => path))];
const textsOf = ({ tags }: Hover, name: string): string[] => tags.filter((tag) => tag.name === name).map(({ text }) => text);

describe('an editor shows', () => {
  test('the names that there are', () => {
    expect(namesOf(all)).toEqual(
      expect.arrayContaining([
        'open',
        'BlockDevice.read',
        'OpenOptions.cache',
        'FaultAction.stall.every',
        'PartitionChange.resize',
        'serve',
        'NbdMedium.on',
      ]),
    );
    expect(namesOf(all).filter((name) => name.startsWith('Native'))).toEqual([]);
  });

  test('of each a sentence; of the arguments and results of an ioctl that of its name', () => {
    expect(namesOf(own.filter(({ path, text }) => text === '' && !/^IoctlMap\.\w+\.(arg|result)$/.test(path)))).toEqual([]);
  });

  test('of what can be called and of classes an example', () => {
    expect(namesOf(own.filter((hover) => ['call', 'class'].includes(hover.kind) && textsOf(hover, 'example').length === 0))).toEqual([]);
  });

  test('of parameters what they are', () => {
    const lacks = (hover: Hover): boolean =>
      hover.parameters.some((name) => {
        const isTold = textsOf(hover, 'param').some((text) => text.split(/\s/, 1)[0] === name);
        return !isTold && !name.startsWith('_') && !hover.text.includes(`\`${name}\``);
      });
    expect(namesOf(calls.filter(lacks))).toEqual([]);
  });

  test('of what can be waited for its errors, or that it has none', () => {
    // Close what has been counted already; the clock is nothing but numbers.
    const NEVER = ['NbdServer.close', 'OpenLog.close', 'VirtualClock.advance', 'VirtualClock.runUntilIdle'];
    const waits = calls.filter(({ type }) => /^(Promise|AsyncIterable|AsyncGenerator)/.test(type));
    const lacks = waits.filter((hover) => textsOf(hover, 'throws').length === 0 && !/never fails/i.test(hover.text));
    expect(namesOf(lacks).filter((name) => !NEVER.includes(name) && name !== 'DirtyBitmap.extents')).toEqual([]);
  });

  test('of keys that may be left out what stands for them', () => {
    const TOLD = /default|only|also|otherwise|without|where|required|undefined|when|null|whether/i;
    const isKey = ({ kind, path, isOptional }: Hover): boolean =>
      kind === 'property' && isOptional && /^\w*(Options|Plan|Rule|Action|Match|Delay)\.(?!signal$)/.test(path);
    expect(namesOf(own.filter((hover) => isKey(hover) && !TOLD.test(hover.text)))).toEqual([]);
  });

  test('of times their unit', () => {
    const isTime = ({ kind, path, type }: Hover): boolean =>
      kind === 'property' &&
      /number/.test(type) &&
      /\b(time|latency|elapsed|delay|mean|min|max|p\d\d|for|every|budget|drain|reconnect|timeout)$/.test(path);
    const UNIT = /\b(ns|ms|milliseconds?|nanoseconds?|seconds?|bytes|n-th)\b/i;
    expect(namesOf(own.filter((hover) => isTime(hover) && !UNIT.test(hover.text)))).toEqual([]);
  });
});
