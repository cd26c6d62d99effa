// Loop devices: block nodes of the host over image files. Detached after each test.
import { afterEach } from '@jest/globals';
import { type Declare, ability, peer, run, testWith } from './peers';
import { MiB, type rig } from './rig';

/** Gives `attach`, and the `test` of those that need it. Called after `rig()`, whose devices are closed before their nodes go. */
export function loops(bench: ReturnType<typeof rig>): {
  attach: (file: string, ...options: string[]) => string;
  looped: Declare;
  needs: Parameters<typeof testWith>;
} {
  const attached: string[] = [];
  afterEach(() => {
    for (const node of attached.splice(0)) run('losetup', '-d', node);
  });
  const needs = [
    peer('losetup', 'mount'),
    ability('loop devices', () => {
      run('losetup', '-d', run('losetup', '-f', '--show', bench.sparse(MiB)).trim());
      return true;
    }),
  ];
  const attach = (file: string, ...options: string[]): string => {
    const node = run('losetup', '-f', '--show', ...options, file).trim();
    attached.push(node);
    return node;
  };
  return { attach, looped: testWith(...needs), needs };
}
