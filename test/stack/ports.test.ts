import { afterEach, expect, it, vi } from 'vitest';
import { freePorts } from './ports.js';

afterEach(() => {
  vi.restoreAllMocks();
});

/** As in another process: it knows nothing of the ports that were given before. */
async function portsOfAnother(count: number): Promise<number[]> {
  const copy = './ports.js?another';
  const another: { readonly freePorts: typeof freePorts } = await import(/* @vite-ignore */ copy);
  expect(another.freePorts).not.toBe(freePorts);
  return another.freePorts(count);
}

it.runIf(process.platform === 'linux')(
  'two processes never get the same port, although neither listens yet',
  async () => {
    let tries = 0;
    vi.spyOn(Math, 'random').mockImplementation(() => (tries++ % 100) / 100);
    const first = await freePorts(20);
    tries = 0;
    const second = await portsOfAnother(20);
    expect(new Set([...first, ...second]).size).toBe(40);
  },
);
