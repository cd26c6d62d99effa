import { spec, syncs } from './test/lab/sqlite/workload.mjs';
import { openSync } from 'rumpblk';
import { memory } from 'rumpblk/media';
for (const mode of ['DELETE EXTRA','DELETE FULL','DELETE NORMAL','DELETE OFF','PERSIST FULL','WAL FULL','WAL NORMAL','WAL OFF']) {
  const s = spec(mode);
  const devices = Array.from({length: s.devices}, () => openSync(memory({size: s.size}), {mode:'r+'}));
  await s.setup(...devices);
  const before = devices.map(d => d.driver.counters().ioTotal)[0];
  let marks = [];
  await s.run(devices[0], (name, data) => marks.push({name,data}), ...devices.slice(1));
  console.log(mode, 'syncs', syncs(), marks.length, 'writes', devices[0].driver.counters().ioTotal-before);
  console.log(await s.check({devices, marks}));
  console.time('check'); for (let i=0;i<50;i++) await s.check({devices, marks}); console.timeEnd('check');
}
