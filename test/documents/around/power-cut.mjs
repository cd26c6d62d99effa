// A journal that counts its records in sector 0, and forgets to flush them before it says so.
const SECTOR = 512;
const journal = {
  async append(device, mark) {
    for (let number = 1; number <= 3; number += 1) {
      await device.write(Buffer.alloc(SECTOR, number), number * SECTOR);
      await device.write(Buffer.alloc(SECTOR, number), 0);
      mark('appended', number);
    }
    await device.flush();
  },
  count(device) {
    const [head, record] = [Buffer.alloc(SECTOR), Buffer.alloc(SECTOR)];
    device.readSync(head, 0);
    for (let number = 1; number <= head[0]; number += 1) {
      device.readSync(record, number * SECTOR);
      if (record[0] !== number) return number - 1;
    }
    return head[0];
  },
};
process.on('uncaughtException', (error) => console.log(`${error.name}: ${error.message}`));
// THE BLOCK
