// A Ceph cluster of this machine alone: a monitor and some OSDs as processes of a place, on loopback, everything they keep in the
// folder of the place. No manager: none of its services is used.
import { randomUUID } from 'node:crypto';
import { mkdirSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { until } from '../foreign/checks.mjs';
import { freePort, isBound } from '../foreign/server.mjs';

/** The programs, and Debian's packages. */
export const CEPH = {
  'ceph-mon': 'ceph-mon',
  'ceph-osd': 'ceph-osd',
  ceph: 'ceph-common',
  rbd: 'ceph-common',
  '/usr/lib/x86_64-linux-gnu/qemu/block-rbd.so': 'qemu-block-extra',
  'qemu-nbd': 'qemu-utils',
};

/** What each OSD may keep. The file has holes, and takes what is written. */
const OSD_BYTES = 4 * 1024 ** 3;
const POOL = 'rbd';

/** ceph.conf as text. The first port is the monitor's, the OSDs take from the hundred behind it. */
function configuration(folder, port, { replicas, store }) {
  const global = {
    fsid: randomUUID(),
    'mon host': `v2:127.0.0.1:${port}`,
    'public addr': '127.0.0.1',
    'ms bind msgr1': false,
    'ms bind port min': port + 1,
    'ms bind port max': port + 100,
    keyring: `${folder}/keyring`,
    'run dir': folder,
    'admin socket': `${folder}/$name.asok`,
    'pid file': `${folder}/$name.pid`,
    'log file': `${folder}/$name.log`,
    'osd pool default size': replicas,
    'osd pool default min size': 1,
    'osd pool default pg autoscale mode': 'off',
    // Copies may lie on one host: there is no other.
    'osd crush chooseleaf type': 0,
    'mon allow pool size one': true,
    // A disk that is fuller than Ceph likes does not stop a test.
    'mon data avail crit': 1,
    'auth allow insecure global id reclaim': false,
  };
  const osd = {
    'osd data': `${folder}/osd$id`,
    'osd objectstore': store,
    'osd memory target': 939_524_096,
    'bluestore block size': OSD_BYTES,
    'memstore device bytes': OSD_BYTES,
  };
  const section = (name, keys) => [`[${name}]`, ...Object.entries(keys).map(([key, value]) => `${key} = ${value}`), ''];
  const lines = [...section('global', global), ...section('mon.a', { 'mon data': `${folder}/mon` }), ...section('osd', osd)];
  return { fsid: global.fsid, text: lines.join('\n') };
}

/** One that is up. Its processes end with the place. */
export class Cluster {
  #place;
  #osds = [];

  /** @param {{ osds?: number, replicas?: number, store?: 'bluestore' | 'memstore' }} [options] */
  static async start(place, { osds = 3, replicas = osds, store = 'bluestore' } = {}) {
    const cluster = new Cluster();
    cluster.#place = place;
    cluster.folder = place.mkdir('ceph');
    cluster.configuration = path.join(cluster.folder, 'ceph.conf');
    await cluster.#monitor({ replicas, store });
    for (let i = 0; i < osds; i += 1) await cluster.#makeOsd(i, store);
    await cluster.#pool(replicas);
    return cluster;
  }

  /** Runs one of Ceph's programs. @returns {Promise<string>} what it printed */
  run(program, ...args) {
    return this.#place.run(program, ['--conf', this.configuration, ...args], { minutes: 2 });
  }

  async #monitor({ replicas, store }) {
    const port = await freePort();
    const { fsid, text } = configuration(this.folder, Math.min(port, 65_000), { replicas, store });
    writeFileSync(this.configuration, text);
    const keyring = path.join(this.folder, 'keyring');
    const map = path.join(this.folder, 'monmap');
    await this.#place.run('ceph-authtool', ['--create-keyring', keyring, '--gen-key', '-n', 'mon.', '--cap', 'mon', 'allow *']);
    const caps = ['mon', 'osd', 'mgr'].flatMap((daemon) => ['--cap', daemon, 'allow *']);
    await this.#place.run('ceph-authtool', [keyring, '--gen-key', '-n', 'client.admin', ...caps]);
    const address = /^mon host = (.*)$/m.exec(text)[1];
    await this.#place.run('monmaptool', ['--create', '--fsid', fsid, '--addv', 'a', `[${address}]`, map]);
    mkdirSync(path.join(this.folder, 'mon'));
    await this.run('ceph-mon', '--mkfs', '-i', 'a', '--monmap', map, '--keyring', keyring);
    this.#place.start('ceph-mon', ['--conf', this.configuration, '-i', 'a', '-f']);
    await this.run('ceph', '--connect-timeout', '60', 'mon', 'stat');
  }

  async #makeOsd(id, store) {
    const data = path.join(this.folder, `osd${id}`);
    const keyring = path.join(data, 'keyring');
    mkdirSync(data);
    if (store === 'bluestore') {
      writeFileSync(path.join(data, 'block'), '');
      truncateSync(path.join(data, 'block'), OSD_BYTES);
    }
    const secret = (await this.#place.run('ceph-authtool', ['--gen-print-key'])).trim();
    const uuid = randomUUID();
    const secrets = path.join(data, 'secrets.json');
    writeFileSync(secrets, JSON.stringify({ cephx_secret: secret }));
    await this.run('ceph', 'osd', 'new', uuid, '-i', secrets);
    await this.#place.run('ceph-authtool', ['--create-keyring', keyring, '-n', `osd.${id}`, '--add-key', secret]);
    await this.run('ceph-osd', '-i', String(id), '--mkfs', '--osd-uuid', uuid, '--keyring', keyring);
    this.startOsd(id);
  }

  /** Starts an OSD that was made, again if it was killed. */
  startOsd(id) {
    const keyring = path.join(this.folder, `osd${id}`, 'keyring');
    this.#osds[id] = this.#place.start('ceph-osd', ['--conf', this.configuration, '-i', String(id), '-f', '--keyring', keyring]);
  }

  /** Ends an OSD without a word. */
  killOsd(id) {
    return this.#osds[id].stop('SIGKILL');
  }

  async #pool(replicas) {
    await this.run('ceph', 'osd', 'pool', 'create', POOL, '8', '8', 'replicated');
    if (replicas === 1) await this.run('ceph', 'osd', 'pool', 'set', POOL, 'size', '1', '--yes-i-really-mean-it');
    await this.run('ceph', 'osd', 'pool', 'application', 'enable', POOL, 'rbd');
  }

  /** Makes an image; waits, the first time, until the cluster takes one. */
  async image(name, mebibytes) {
    await this.run('rbd', 'create', `${POOL}/${name}`, '--size', `${mebibytes}M`);
  }

  /** The image as a file, read by Ceph's own program. @returns {Promise<string>} its path */
  async exported(name, file) {
    await this.run('rbd', 'export', '--no-progress', `${POOL}/${name}`, file);
    return file;
  }

  /** Serves an image by qemu-nbd. */
  async serve(place, image, { name = 'rbd' } = {}) {
    const socket = place.path(name);
    const driver = `driver=rbd,pool=${POOL},image=${image},conf=${this.configuration},user=admin`;
    const args = [
      '--image-opts',
      driver,
      '--persistent',
      '--socket',
      socket,
      '--shared=8',
      '--discard=unmap',
      '--detect-zeroes=off',
      '-x',
      '',
    ];
    const server = place.start('qemu-nbd', args);
    const ended = () => (server.ended === undefined ? undefined : `ended with ${server.ended}\n${server.text}`);
    await until(() => isBound(socket), 'qemu-nbd', ended);
    return { socket, uri: `nbd+unix:///?socket=${socket}`, process: server };
  }
}
