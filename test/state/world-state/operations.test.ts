import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, test } from 'vitest';
import { isSoak } from '../../support/soak.js';
import { EVENTS } from '../fleet-events.js';

// In the fleet of 100,000 only 1,000 clients have services, and there are ACL objects of 1,000 clients: with those of all it takes 15 s to
// build, which the soak takes.
const SIZES = isSoak ? ['100', '10000', '100000'] : ['100', 'acl/1000', '10000/10000', '100000/1000'];
const CHILD = fileURLToPath(new URL('./operations-child.ts', import.meta.url));

describe('the work of one event does not grow with the fleet', () => {
  let counts: readonly Readonly<Record<string, number>>[];
  // In a process of its own: a map of a process that counts operations is slower, also for what other tests do later.
  beforeAll(async () => {
    const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', CHILD, ...SIZES]);
    counts = JSON.parse(stdout);
  }, 600_000);

  test.each(EVENTS.map(([name]) => name))('%s, at 100, 10,000 and 100,000 clients', (name) => {
    const [small = 0, ...larger] = counts.flatMap((each) => each[name] ?? []);
    expect(small).toBeGreaterThan(0);
    expect(larger).toHaveLength(2);
    for (const count of larger) expect(count).toBeLessThanOrEqual(1.5 * small);
  });

  test.each(['ACL objects that one client loses', 'a policy of a client beside many people'])(
    '%s',
    (name) => {
      const [small = 0, ...larger] = counts.flatMap((each) => each[name] ?? []);
      expect(small).toBeGreaterThan(0);
      expect(larger).toHaveLength(isSoak ? 2 : 1);
      for (const count of larger) expect(count).toBeLessThanOrEqual(1.5 * small);
    },
  );
});
