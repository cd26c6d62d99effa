import assert from 'node:assert';
import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
rmSync('disk.img', { force: true });
execFileSync('truncate', ['-s', '32M', 'disk.img']);
execFileSync('/usr/sbin/sfdisk', ['-q', 'disk.img'], { input: 'label: gpt\nstart=2048, size=32768, name=root, type=linux\n' });
// THE BLOCK
assert(server.url.href.startsWith('nbd+unix:///root?socket='));
await server.close();
await root.close();
