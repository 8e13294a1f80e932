import { rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { noMetrics } from '../../../src/observe.js';
import { createSpaceReserve } from '../../../src/queue/embedded/space-reserve.js';
import { newDirectory } from '../../support/use-directory.js';

const MIB = 1024 * 1024;

describe('the reserved space of a state directory', () => {
  let directory: string;
  let logs: string[];
  beforeEach(() => {
    directory = newDirectory();
    logs = [];
  });

  const note = (_: object, message: string) => logs.push(message);
  const open = (bytes?: number) =>
    createSpaceReserve(
      directory,
      { logger: { debug() {}, info: note, warn: note, error: note }, metrics: noMetrics },
      bytes,
    );
  const file = () => statSync(join(directory, 'space.reserve'));
  const isFullLogged = () => logs.filter((line) => line.includes('is full')).length;

  it('takes up 64 MB of real blocks, and only its owner may read it', async () => {
    const reserve = open();
    expect(reserve.isLow()).toBe(false);
    await reserve.restore();
    expect(file().size).toBe(64 * MIB);
    expect(file().blocks * 512).toBeGreaterThanOrEqual(64 * MIB);
    expect(file().mode & 0o777).toBe(0o600);
    expect(logs).toEqual([]);
  });

  it('is given away in steps, to events only down to a half, and is made again when there is room', async () => {
    const reserve = open();
    await reserve.restore();
    expect(reserve.give('events')).toBe(true);
    expect(file().size).toBe(60 * MIB);
    expect(reserve.isLow()).toBe(true);
    while (reserve.give('events'));
    expect(file().size).toBe(32 * MIB);
    while (reserve.give('journal'));
    expect(file().size).toBe(0);
    expect(isFullLogged()).toBe(1);
    await reserve.restore();
    expect(file().size).toBe(64 * MIB);
    expect(reserve.isLow()).toBe(false);
    expect(logs.at(-1)).toContain('has space again');
  });

  it('is low after a start if it was used before, until it is whole again', async () => {
    const before = open();
    await before.restore();
    before.give('journal');
    const after = open();
    expect(after.isLow()).toBe(true);
    await after.restore();
    expect(after.isLow()).toBe(false);
  });

  it('is not made larger than what it gives away while it grows', async () => {
    const reserve = open();
    await reserve.restore();
    while (reserve.give('journal'));
    const growing = reserve.restore();
    while (file().size < 16 * MIB) await new Promise(setImmediate);
    expect(reserve.give('journal')).toBe(true);
    await growing;
    expect(reserve.isLow()).toBe(true);
    expect(file().size).toBeLessThan(64 * MIB);
    await reserve.restore();
    expect(file().size).toBe(64 * MIB);
  });

  it('is not low any more on a disk that is too small for a reserve, once something can be written again', async () => {
    const reserve = open(0);
    expect(reserve.give('journal')).toBe(false);
    expect(reserve.isLow()).toBe(true);
    await reserve.restore();
    expect(reserve.isLow()).toBe(false);
    expect(file().size).toBe(0);
    expect(logs.at(-1)).toContain('has space again');
  });

  it('has nothing to give if somebody deleted it', async () => {
    const reserve = open();
    await reserve.restore();
    rmSync(join(directory, 'space.reserve'));
    expect(reserve.give('journal')).toBe(false);
    expect(reserve.isLow()).toBe(true);
    writeFileSync(join(directory, 'space.reserve'), '');
    await reserve.restore();
    expect(reserve.isLow()).toBe(false);
  });
});
