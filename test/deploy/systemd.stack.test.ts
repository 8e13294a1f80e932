import { expect, it } from 'vitest';
import { programOnPath, run } from '../../deploy/release/run.js';
import { tryDemo } from '../../deploy/release/try-demo.mjs';
import { ROOT } from '../docs/manual.js';

const UNIT = `${ROOT}deploy/scopemesh.service`;
const hasLibrary = () =>
  run('python3', ['-c', 'import ctypes.util; print(ctypes.util.find_library("seccomp"))']).startsWith('lib');

it.runIf(programOnPath('systemd-analyze') !== undefined)(
  'systemd finds nothing wrong in the unit, and little that an attacker could use',
  () => {
    // Tenths: 1.4 of 10 today. A unit without any limit has 9.6.
    const said = run('systemd-analyze', ['security', '--offline=true', '--threshold=15', UNIT]);
    expect(said).toMatch(/exposure level for scopemesh.service: 1\.\d OK/);
    run('systemd-analyze', ['verify', '--man=no', UNIT]);
  },
);

it.runIf(programOnPath('systemd-analyze') !== undefined && hasLibrary())(
  'scopemesh makes no system call that the unit refuses',
  async () => {
    const [, line = ''] = /^ExecStart=\/usr\/bin\/env (node .*) \S+main\.js/m.exec(run('cat', [UNIT])) ?? [];
    const filter = `${ROOT}test/deploy/under-filter.py`;
    await tryDemo('python3', [filter, UNIT, ...line.split(' '), `${ROOT}dist/workers/main.js`]);
  },
);
