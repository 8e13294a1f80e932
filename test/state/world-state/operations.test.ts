import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, test } from 'vitest';
import { isSoak } from '../../support/soak.js';
import { EVENTS } from '../fleet-events.js';

const SMALL = 100;
const LARGE = isSoak ? 100_000 : 10_000;
const CHILD = fileURLToPath(new URL('./operations-child.ts', import.meta.url));

describe('the work of one event does not grow with the fleet', () => {
  let counts: readonly Readonly<Record<string, number>>[];
  // In a process of its own: a map of a process that counts operations is slower, also for what other tests do later.
  beforeAll(async () => {
    const args = ['--import', 'tsx', CHILD, `${SMALL}`, `${LARGE}`];
    const { stdout } = await promisify(execFile)(process.execPath, args);
    counts = JSON.parse(stdout);
  }, 300_000);

  test.each([
    ...EVENTS.map(([name]) => name),
    'ACL objects that one client loses',
    'a policy of a client beside many people',
  ])('%s', (name) => {
    const [small = 0, large = 0] = counts.map((each) => each[name]);
    expect(small).toBeGreaterThan(0);
    expect(large).toBeLessThanOrEqual(1.5 * small);
  });
});
