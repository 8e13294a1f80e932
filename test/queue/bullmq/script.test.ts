import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

// BullMQ's keys begin with `PREFIX:jobs`, as text or by the constant.
const NAMES_JOBS = /:(?:jobs\b|\$\{JOBS\})/;

const readers = () => {
  const folder = new URL('../../../src/queue/bullmq/', import.meta.url);
  return readdirSync(folder).filter((name) => NAMES_JOBS.test(readFileSync(new URL(name, folder), 'utf8')));
};

it('no code reads the keys of BullMQ, whose layout may change', () => {
  expect(readers()).toEqual([]);
});
