import { expect, it } from 'vitest';
import { openOnce } from '../src/open-once.js';

it('opens once, and again only after a failure', async () => {
  let times = 0;
  const open = openOnce(async () => {
    times += 1;
    if (times === 1) throw new Error('away');
    return times;
  });
  await expect(open()).rejects.toThrow('away');
  expect(await Promise.all([open(), open()])).toEqual([2, 2]);
  expect(await open()).toBe(2);
});
