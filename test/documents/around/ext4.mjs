import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
mkdirSync('tree/etc', { recursive: true });
writeFileSync('tree/etc/hostname', 'reader\n');
execFileSync('truncate', ['-s', '32M', 'disk.img']);
execFileSync('/usr/sbin/sfdisk', ['-q', 'disk.img'], { input: 'label: gpt\nstart=2048, size=32768, name=root, type=linux\n' });
execFileSync('/usr/sbin/mkfs.ext4', ['-q', '-F', '-E', 'offset=1048576', '-d', 'tree', 'disk.img', '16M']);
// THE BLOCK
