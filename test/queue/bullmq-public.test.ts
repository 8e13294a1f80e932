import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { JOBS } from '../../src/queue/bullmq/schedule.js';

it('reads none of the keys of BullMQ, whose layout may change with any version', () => {
  const folder = new URL('../../src/queue/bullmq/', import.meta.url);
  const readers = readdirSync(folder).filter((name) =>
    // BullMQ's keys begin with `PREFIX:jobs:`.
    readFileSync(new URL(name, folder), 'utf8').includes(`:${JOBS}`),
  );
  expect(readers).toEqual([]);
});
