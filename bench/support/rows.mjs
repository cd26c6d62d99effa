// Every row of the bench, in the order of the table.
//
// A row: `id`, `title`, `places` ('disk', 'memory'; 'none' without files), `files` (images it reads), `checks` (what is shown, with targets),
// `contenders(context)` (name -> contender), and perhaps `short: false` (not in the short form), `native: true` (needs the
// programs of native/bench), `passes`, `nodeFlags`, `skip(context)` (why not, in words).
//
// A contender: `run(from, to)` does the requests [from, to) of its ring of positions and may return a promise;
// `before(pass)`, `after(pass)` are not timed, and the latter gives the number of wrong results; `extra()` gives more
// figures of the pass that is over. `ops` fixes the number of
// requests a pass, `group` is what it is a multiple of. Instead of `run`, `figures(pass)` gives figures as they are.
import batch from '../trials/batch.mjs';
import clients from '../trials/clients.mjs';
import cold from '../trials/cold.mjs';
import coldLarge from '../trials/cold-large.mjs';
import copy from '../trials/copy.mjs';
import discard from '../trials/discard.mjs';
import durable from '../trials/durable.mjs';
import extents from '../trials/extents.mjs';
import geometry from '../trials/geometry.mjs';
import images from '../trials/images.mjs';
import lab from '../trials/lab.mjs';
import large from '../trials/large.mjs';
import media from '../trials/media.mjs';
import memory from '../trials/memory.mjs';
import nbd from '../trials/nbd.mjs';
import overhead from '../trials/overhead.mjs';
import overlay from '../trials/overlay.mjs';
import policy from '../trials/policy.mjs';
import promise from '../trials/promise.mjs';
import promiseLarge from '../trials/promise-large.mjs';
import qcow2 from '../trials/qcow2.mjs';
import sizes from '../trials/sizes.mjs';
import sync from '../trials/sync.mjs';
import threads from '../trials/threads.mjs';
import write from '../trials/write.mjs';

export function allRows() {
  return [
    sync,
    large,
    batch,
    promise,
    promiseLarge,
    geometry,
    write,
    durable,
    threads,
    cold,
    coldLarge,
    overhead,
    media,
    memory,
    lab,
    overlay,
    qcow2,
    extents,
    discard,
    copy,
    nbd,
    policy,
    sizes,
    images,
    clients,
  ].flat();
}
