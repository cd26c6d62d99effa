import { writeFileSync } from 'node:fs';
writeFileSync('disk.img', Buffer.alloc(1024 * 1024));
// THE BLOCK
