// For `node --require`: what starts Node.js again by process.execPath starts the program that RUMPBLK_NODE names. Under qemu-user
// execPath is a program of another processor, which this system cannot start.
'use strict';
process.execPath = process.env.RUMPBLK_NODE;
