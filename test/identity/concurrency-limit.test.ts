import { beforeEach, describe, expect, it } from 'vitest';
import { SyncError } from '../../src/errors.js';
import { withConcurrencyLimit } from '../../src/identity/concurrency-limit.js';
import type { Directory } from '../../src/identity/directory.js';
import { createMovableClock, type MovableClock } from '../support/movable-clock.js';
import { until } from '../support/until.js';

const AWAY = { code: 'ERR_DIRECTORY_UNREACHABLE', retriable: true };
const away = () => new SyncError('ERR_DIRECTORY_UNREACHABLE', 'answered 503', { retriable: true });

let clock: MovableClock;
let offsetMs: number;
let busyMs: number;
let stop: AbortController;
/** What is asked and has not been answered. */
let open: Map<string, { readonly answer: () => void; readonly fail: (error: Error) => void }>;
let directory: Directory;

beforeEach(() => {
  clock = createMovableClock();
  offsetMs = 0;
  busyMs = 0;
  stop = new AbortController();
  open = new Map();
  directory = withConcurrencyLimit(
    {
      provider: 'main',
      readAll: async () => ({ clients: [], unreadable: [], requests: 1 }),
      read: (_, value) =>
        new Promise((resolve, reject) => {
          const end = (then: () => void) => {
            open.delete(value);
            then();
          };
          open.set(value, {
            answer: () => end(() => resolve(undefined)),
            fail: (error) => end(() => reject(error)),
          });
        }),
      close: async () => {},
    },
    { now: () => clock.now() + offsetMs, sleep: clock.sleep },
    () => busyMs,
  );
});

const read = (client: string, forOrder = false) => {
  const reading = directory.read('clientId', client, stop.signal, forOrder ? 'order' : undefined);
  // Who cares awaits it.
  reading.catch(() => {});
  return reading;
};
const isAsked = (...clients: string[]) =>
  until(`${clients} to be asked`, () => clients.every((client) => open.has(client)));
const asks = async (client: string, forOrder = false) => {
  const reading = read(client, forOrder);
  await isAsked(client);
  return { reading };
};
const fails = async (client: string, forOrder = false) => {
  const { reading } = await asks(client, forOrder);
  open.get(client)?.fail(away());
  await expect(reading).rejects.toMatchObject(AWAY);
};
const fill = async () => {
  for (const client of ['a', 'b', 'c', 'd']) await asks(client);
};

describe('single reads of a directory', () => {
  it('run four at once, and the next one after any answer', async () => {
    await fill();
    read('e');
    read('f');
    open.get('b')?.answer();
    await isAsked('e');
    expect([...open.keys()]).toEqual(['a', 'c', 'd', 'e']);
    open.get('c')?.fail(new SyncError('ERR_DIRECTORY_DENIED', 'answered 403', { retriable: false }));
    await isAsked('f');
    expect([...open.keys()]).toEqual(['a', 'd', 'e', 'f']);
  });

  it('fail if the directory answers none for a second, and are not sent until it answers', async () => {
    await fill();
    const fifth = read('e');
    clock.advance(1_000);
    await expect(fifth).rejects.toMatchObject(AWAY);
    await expect(read('f')).rejects.toMatchObject(AWAY);
    expect([...open.keys()]).toEqual(['a', 'b', 'c', 'd']);
    const { reading } = await asks('order', true);
    open.get('order')?.answer();
    await reading;
    read('f');
    open.get('a')?.answer();
    await isAsked('f');
  });

  it('do not take the directory for silent while this process itself is too busy to read its answers', async () => {
    await fill();
    const fifth = read('e');
    busyMs = 1_000_000;
    clock.advance(1_000);
    // The read that waits has judged by then.
    await new Promise(setImmediate);
    open.get('a')?.answer();
    await isAsked('e');
    open.get('e')?.answer();
    await fifth;
    // Later it is idle, and silence is silence.
    await asks('a');
    const sixth = read('f');
    clock.advance(1_000);
    await expect(sixth).rejects.toMatchObject(AWAY);
  });

  it('have one slot for an order while all others hang', async () => {
    await fill();
    await asks('order', true);
    const second = read('another order', true);
    clock.advance(1_000);
    await expect(second).rejects.toMatchObject(AWAY);
    expect([...open.keys()]).toEqual(['a', 'b', 'c', 'd', 'order']);
  });

  it('reach an unavailable directory once a second, and always for orders', async () => {
    for (const client of ['a', 'b', 'c']) await fails(client);
    await expect(read('d')).rejects.toMatchObject(AWAY);
    await fails('order', true);
    clock.advance(1_000);
    const { reading } = await asks('e');
    await expect(read('f')).rejects.toMatchObject(AWAY);
    open.get('e')?.answer();
    await reading;
    await asks('f');
    await asks('g');
  });

  it('are not stopped by one client for which the identity provider has no answer', async () => {
    for (let times = 0; times < 5; times++) await fails('broken');
    await asks('a');
  });

  it('reject with their signal while they wait for a slot', async () => {
    await fill();
    const fifth = read('e');
    stop.abort(new Error('stopped'));
    await expect(fifth).rejects.toThrow('stopped');
  });
});

describe('the other calls of a directory', () => {
  it('need no slot', async () => {
    await fill();
    await expect(directory.readAll(stop.signal)).resolves.toEqual({
      clients: [],
      unreadable: [],
      requests: 1,
    });
    expect(directory.readMembers).toBeUndefined();
  });
});
