// Rules over native/: the floors of core, core below serve and lab below addon, one door to the host, one includer of <napi.h>.

/** The floors of core, lowest first: a file includes its own and those before it. */
const FLOORS = ['base', 'host', 'medium', 'image', 'nbd', 'label', 'window', 'workers', 'request', 'filter', 'access', 'device'];

/** Headers of the host's system calls: core/host alone includes them. */
const HOST_HEADERS =
  /^(fcntl\.h|unistd\.h|aio\.h|dirent\.h|dlfcn\.h|poll\.h|signal\.h|csignal|netdb\.h|arpa\/.*|netinet\/.*|sys\/.*|linux\/.*|asm\/.*|liburing\.h)$/;

/** Headers of Node: addon/napi_setup.h alone includes them. */
const NODE_HEADERS = /^(napi\.h|napi-inl\.h|node\.h|node_api\.h|js_native_api\.h|uv\.h|v8\.h)$/;

/** Ways to make a JavaScript Error in native code. */
const JS_ERROR = /\bNapi::(\w*Error)\b|\bnapi_(throw|create)_\w*error\b|\bnapi_throw\b|\bThrowAsJavaScriptException\b/g;

/** Ways to print. */
const PRINTING = /\b(printf|fprintf|puts|perror|std::cout|std::cerr)\b/;

function areaOf(file) {
  const [, area, floor] = /^native\/(core|lab|serve|addon|test|bench)\/(?:([^/]+)\/)?/.exec(file) ?? [];
  return { area, floor };
}

function checkInclude(file, include) {
  const { area, floor } = areaOf(file);
  if (area === 'test' || area === 'bench') return undefined;
  if (NODE_HEADERS.test(include) && file !== 'native/addon/napi_setup.h') return `<${include}> outside addon/napi_setup.h`;
  if (HOST_HEADERS.test(include) && !(area === 'core' && floor === 'host')) return `<${include}> outside core/host`;
  if (area === 'serve') return /^(addon|lab)\//.test(include) ? `serve includes ${include}` : undefined;
  if (area === 'lab') return /^(addon|serve)\//.test(include) ? `lab includes ${include}` : undefined;
  if (area !== 'core') return undefined;
  if (/^(lab|serve)\//.test(include)) return `core includes ${include}`;
  if (include.startsWith('addon/')) return `core includes ${include}`;
  const target = /^core\/([^/]+)\//.exec(include)?.[1];
  if (target === undefined) return undefined;
  if (!FLOORS.includes(target)) return `${include} is on no known floor: ${FLOORS.join(' < ')}`;
  return FLOORS.indexOf(target) > FLOORS.indexOf(floor) ? `core/${floor} includes ${include}: ${FLOORS.join(' < ')}` : undefined;
}

/** @param {string} file @param {string} text without comments and literals @param {string} raw with them */
export function nativeRules(file, text, raw) {
  const { area, floor } = areaOf(file);
  const breaches = [];
  for (const [, include] of raw.matchAll(/^\s*#\s*include\s*[<"]([^>"]+)[>"]/gm)) breaches.push(checkInclude(file, include));
  if (area === 'core' && !FLOORS.includes(floor)) breaches.push(`core/${floor ?? ''} is no floor: ${FLOORS.join(' < ')}`);
  if (area === 'core' || area === 'lab' || area === 'serve' || area === 'addon') {
    for (const [use] of text.matchAll(JS_ERROR)) breaches.push(`${use}: errors are made in lib/errors.ts alone`);
    const printing = PRINTING.exec(text)?.[0];
    if (printing !== undefined) breaches.push(`${printing}: native code prints nothing`);
  }
  return breaches.filter((breach) => breach !== undefined);
}
