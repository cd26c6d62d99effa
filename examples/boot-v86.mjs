// Boots a machine from a device: v86, a PC in WebAssembly, with SeaBIOS of Debian and a boot sector that this program assembles itself.
// Whatever the machine reads of its disk goes through rumpblk, so faults, traces, overlays and NBD exports work under a whole computer.
//
//   npm install rumpblk v86 && apt-get install seabios
//   node boot-v86.mjs                  makes a disk in memory, whose boot sector greets over the serial port
//   node boot-v86.mjs my-disk.img      boots your own; what its machine prints on the serial port appears here
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { open } from 'rumpblk';
import { memory } from 'rumpblk/media';
import { V86 } from 'v86';

const FIRMWARE = '/usr/share/seabios';
const SECTOR = 512;
const GREETING = 'booted from a rumpblk device\r\n';

/** A boot sector in 16-bit code: reads the second sector by the BIOS, and sends its text to the serial port until a zero. */
function bootSector() {
  const code = [
    [0x31, 0xc0, 0x8e, 0xd8, 0x8e, 0xc0], //        xor ax,ax; mov ds,ax; mov es,ax
    [0xb8, 0x01, 0x02, 0xb9, 0x02, 0x00], //        mov ax,0x0201 (read one sector); mov cx,2 (the second)
    [0xb6, 0x00, 0xbb, 0x00, 0x7e, 0xcd, 0x13], //  mov dh,0; mov bx,0x7e00; int 0x13
    [0xbe, 0x00, 0x7e, 0xba, 0xf8, 0x03], //        mov si,0x7e00; mov dx,0x3f8 (the serial port)
    [0xac, 0x84, 0xc0, 0x74, 0x03, 0xee, 0xeb, 0xf8], // next: lodsb; test al,al; jz end; out dx,al; jmp next
    [0xf4, 0xeb, 0xfd], //                          end: hlt; jmp end
  ];
  const sector = Buffer.alloc(SECTOR);
  sector.set(code.flat());
  sector.writeUInt16LE(0xaa55, 510);
  return sector;
}

/** What v86 asks of a disk: `get` and `set` with a callback, and one look at the first sector that cannot wait. */
class DeviceDisk {
  constructor(device) {
    this.device = device;
    this.byteLength = device.size;
  }
  load() {
    this.onload?.({});
  }
  get(position, length, callback) {
    this.device.read(new Uint8Array(length), position).then(({ buffer }) => callback(buffer));
  }
  get_and_cache(position, length, callback) {
    this.get(position, length, callback);
  }
  get_from_cache(position, length) {
    const bytes = new Uint8Array(length);
    this.device.readSync(bytes, position);
    return bytes;
  }
  set(position, data, callback) {
    this.device.write(data, position).then(() => callback());
  }
  get_state() {
    return []; // for snapshots of the machine, which this program takes none of
  }
  set_state() {}
}

const [path] = process.argv.slice(2);
const device = await open(path ?? memory({ size: 16 * 1024 * 1024 }), { mode: 'r+' });
if (path === undefined) await device.write(Buffer.concat([bootSector(), Buffer.from(GREETING)]), 0);

const file = (name) => ({ buffer: new Uint8Array(readFileSync(`${FIRMWARE}/${name}`)).buffer });
const machine = new V86({
  wasm_path: createRequire(import.meta.url).resolve('v86/build/v86.wasm'),
  bios: file('bios.bin'),
  vga_bios: file('vgabios-stdvga.bin'),
  hda: new DeviceDisk(device),
  boot_order: 0x312,
  memory_size: 32 * 1024 * 1024,
  autostart: true,
});
let printed = '';
machine.add_listener('serial0-output-byte', async (byte) => {
  printed += String.fromCharCode(byte);
  process.stdout.write(String.fromCharCode(byte));
  if (path !== undefined || !printed.endsWith(GREETING)) return;
  await machine.destroy();
  await device.close();
});
