import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/clock.js';
import { retryThroughOutages } from '../../src/daemon/outages.js';
import { type ErrorCode, IncompleteRead, RefusedCredentials, SyncError } from '../../src/errors.js';
import { clientKey, destinationKey, type Key, providerKey } from '../../src/model/key.js';
import { silentLogger } from '../../src/observe.js';
import type { AgendaHandler } from '../../src/queue/follow-ups.js';
import { NO_FOLLOW_UPS } from '../../src/reconcile/deps.js';

const CONSUL = destinationKey('orders');
const CLIENT = clientKey('main', 'web-app');
const DIRECTORY = providerKey('main');

const failing = (code: ErrorCode, retryAfterMs?: number): AgendaHandler => {
  const wait = retryAfterMs === undefined ? {} : { retryAfterMs };
  return () => Promise.reject(new SyncError(code, 'away', { retriable: true, ...wait }));
};

function rig(handler: AgendaHandler) {
  const slept: number[] = [];
  const logged: string[] = [];
  const note = (_: unknown, text: string) => void logged.push(text);
  const clock = { ...systemClock, sleep: async (ms: number) => void slept.push(ms) };
  const run = retryThroughOutages(
    handler,
    { clock, logger: { ...silentLogger, info: note, warn: note } },
    () => 0.5,
  );
  const stop = new AbortController();
  return {
    slept,
    logged,
    stop,
    run: (key: Key) => run({ key, triggers: [], attempts: 7 }, stop.signal, NO_FOLLOW_UPS),
  };
}

describe('a job', () => {
  it.each([
    ['ERR_CONSUL_UNREACHABLE', CONSUL],
    ['ERR_TIMEOUT', CONSUL],
    ['ERR_DIRECTORY_UNREACHABLE', CLIENT],
    ['ERR_DIRECTORY_UNREACHABLE', DIRECTORY],
  ] as const)('that meets %s asks again after a second, and is not counted as failed', async (code, key) => {
    const { run, slept } = rig(failing(code));
    const result = await run(key);
    expect(result).toEqual({ kind: 'retry', afterMs: 1_000 });
    // A job that needs another server finds a place.
    expect(slept).toEqual([]);
  });

  it('comes back later the more wait for the same server, or they would ask as fast as they can', async () => {
    const { run } = rig(failing('ERR_DIRECTORY_UNREACHABLE'));
    for (let client = 0; client < 5_000; client++) await run(clientKey('main', `client-${client}`));
    expect(await run(CLIENT)).toEqual({ kind: 'retry', afterMs: 20_004 });
    expect(await run(CLIENT)).toEqual({ kind: 'retry', afterMs: 20_004 });
    expect(await run(clientKey('second', 'web-app'))).toEqual({ kind: 'retry', afterMs: 1_000 });
  });

  it('of a client whose provider refuses our credentials waits for them, and is not counted as failed', async () => {
    const refuse = (retryAfterMs?: number): AgendaHandler => {
      const wait = retryAfterMs === undefined ? {} : { retryAfterMs };
      return () =>
        Promise.reject(
          new RefusedCredentials('ERR_DIRECTORY_DENIED', 'invalid_client', { retriable: false, ...wait }),
        );
    };
    expect(await rig(refuse()).run(CLIENT)).toEqual({ kind: 'retry', afterMs: 1_000 });
    expect(await rig(refuse(8_000)).run(CLIENT)).toEqual({ kind: 'retry', afterMs: 8_000 });
    await expect(rig(failing('ERR_DIRECTORY_DENIED')).run(CLIENT)).rejects.toThrow('away');
  });

  it('waits as long as a directory asks it to', async () => {
    const result = await rig(failing('ERR_DIRECTORY_RATE_LIMITED', 30_000)).run(CLIENT);
    expect(result).toEqual({ kind: 'retry', afterMs: 30_000 });
  });

  it('of a whole directory that cannot be read completely is not given up', async () => {
    expect(await rig(failing('ERR_DIRECTORY_DENIED')).run(DIRECTORY)).toMatchObject({ kind: 'retry' });
    const incomplete: AgendaHandler = () =>
      Promise.reject(new IncompleteRead('ERR_DIRECTORY_INCOMPLETE', 'cut', { retriable: true }));
    expect(await rig(incomplete).run(DIRECTORY)).toEqual({ kind: 'retry', afterMs: 5_000 });
    await expect(rig(incomplete).run(CLIENT)).rejects.toThrow('cut');
  });

  it('of a directory that refuses the read is not logged as a server that is away', async () => {
    const { run, logged } = rig(failing('ERR_DIRECTORY_DENIED'));
    await run(DIRECTORY);
    expect(logged).toEqual(['a directory cannot be read completely: its jobs wait for it']);
  });

  it.each(['ERR_CONSUL_REJECTED', 'ERR_CONSUL_DENIED', 'ERR_QUEUE_UNREACHABLE', 'ERR_INTERNAL'] as const)(
    'that fails with %s has failed, for the queue to count',
    async (code) => {
      const { run, slept } = rig(failing(code));
      await expect(run(CONSUL)).rejects.toMatchObject({ code });
      expect(slept).toEqual([]);
    },
  );

  it('that is stopped while the server is away ends with its error', async () => {
    const { run, stop } = rig(failing('ERR_CONSUL_UNREACHABLE'));
    stop.abort();
    await expect(run(CONSUL)).rejects.toMatchObject({ code: 'ERR_CONSUL_UNREACHABLE' });
  });
});

describe('an outage', () => {
  it('is logged when it begins and when it ends, and not in between', async () => {
    let isAway = true;
    const { run, logged } = rig((job, signal, followUps) =>
      isAway ? failing('ERR_CONSUL_UNREACHABLE')(job, signal, followUps) : Promise.resolve({ kind: 'done' }),
    );
    for (let times = 0; times < 3; times++) await run(CONSUL);
    expect(logged).toEqual(['a server is away: its jobs wait for it']);
    isAway = false;
    for (let times = 0; times < 3; times++) await run(CONSUL);
    expect(logged).toEqual(['a server is away: its jobs wait for it', 'jobs reach the server again']);
  });

  it('is not over because a job that met nothing of it is done', async () => {
    const { run, logged } = rig((job, signal, followUps) =>
      job.key.kind === 'client'
        ? failing('ERR_DIRECTORY_UNREACHABLE')(job, signal, followUps)
        : Promise.resolve({ kind: 'done' }),
    );
    await run(CLIENT);
    await run(DIRECTORY);
    await run(CLIENT);
    expect(logged).toEqual(['a server is away: its jobs wait for it']);
  });
});
