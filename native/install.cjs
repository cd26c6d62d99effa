// The install script of npm. An installed package builds only what no prebuilt binary serves (node-gyp-build tries to load one).
// A checkout, which has lib/, always builds what has changed in its sources, and no binary made earlier can win over them.
'use strict';

const { spawnSync } = require('node:child_process');
const { existsSync, rmSync } = require('node:fs');
const path = require('node:path');

const root = path.join(__dirname, '..');

function run(command) {
  const { status, error } = spawnSync(command, { cwd: root, stdio: 'inherit', shell: true });
  if (error !== undefined) console.error(error.message);
  if (status !== 0) process.exit(status ?? 1);
}

if (existsSync(path.join(root, 'lib'))) {
  rmSync(path.join(root, 'prebuilds'), { recursive: true, force: true });
  run('node-gyp configure build --silent --jobs max');
} else {
  run('node-gyp-build');
}
