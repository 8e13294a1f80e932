import { describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../src/clock.js';
import { RejectedEvent as Rejected, type RejectedEvent, SyncError } from '../../src/errors.js';
import { withBackoff } from '../../src/identity/backoff.js';
import { createRejectedEvents } from '../../src/intake/rejected-events.js';
import { noMetrics, silentLogger } from '../../src/observe.js';
import { serviceText } from '../../src/plan/world.js';
import { RevocationWindow } from '../../src/state/revocation-window.js';
import { WorldState } from '../../src/state/world-state.js';
import { claiming, client, mapping, NOW, named, SETTINGS } from '../plan/scene.js';

const HOUR_MS = 3_600_000;
const signal = new AbortController().signal;

describe('a clock that is set back by an hour', () => {
  it('keeps removals in the window of the mass guard for one window, not for an hour more', () => {
    const window = new RevocationWindow(600_000);
    window.addRemovals(7, NOW);
    expect(window.used(NOW - HOUR_MS)).toBe(7);
    expect(window.used(NOW - HOUR_MS + 599_999)).toBe(7);
    expect(window.used(NOW - HOUR_MS + 600_000)).toBe(0);
  });

  it('lets a claim outlive its last instance by one more grace at most', () => {
    const world = new WorldState(mapping(), SETTINGS);
    world.putDirectory(
      'main',
      [client('web', [], { attributes: { 'consul-services': 'web' } })],
      world.beginRead(),
      NOW,
    );
    const catalog = { protocols: new Map(), defaultProtocol: 'http' as const };
    world.putCatalog({ ...catalog, services: [claiming('web', 'web')] }, NOW);
    world.putCatalog({ ...catalog, services: [] }, NOW);
    const kind = (now: number) => world.claimStatuses(now).get(serviceText(named('web')))?.kind;
    const back = NOW - HOUR_MS;
    expect(kind(back)).toBe('claimed');
    expect(kind(back + SETTINGS.claimGraceMs - 1)).toBe('claimed');
    expect(kind(back + SETTINGS.claimGraceMs)).toBe('none');
  });

  it('keeps no forged event from being recorded', async () => {
    let now = NOW;
    const recorded: unknown[] = [];
    const events = createRejectedEvents({
      journal: {
        settle: async (_key: string, decisions: readonly unknown[]) => {
          recorded.push(...decisions);
        },
      },
      stamp: () => ({
        source: 's',
        mappingRevision: 'm',
        newId: () => 'id',
        time: '2026-01-01T00:00:00.000Z',
      }),
      clock: { now: () => now, sleep: async () => {} },
      logger: silentLogger,
      metrics: noMetrics,
      space: { isLow: () => false },
      onSettled: () => {},
    });
    const forged: RejectedEvent = new Rejected('ERR_SIGNATURE', 'the signature is wrong', 401);
    await events.record('main', forged, { kind: 'webhook', receivedAt: '2026-01-01T00:00:00.000Z' });
    now -= HOUR_MS;
    await events.record('main', forged, { kind: 'webhook', receivedAt: '2026-01-01T00:00:00.000Z' });
    expect(recorded).toHaveLength(2);
  });

  it('makes no pause of an identity provider an hour longer', async () => {
    const parts = withBackoff(
      {
        directory: {
          provider: 'main',
          readAll: async () => {
            throw new SyncError('ERR_DIRECTORY_RATE_LIMITED', '429', {
              retriable: true,
              retryAfterMs: 30_000,
            });
          },
          read: async () => undefined,
          close: async () => {},
        },
      },
      systemClock,
      30_000,
    );
    await expect(parts.directory.readAll(signal)).rejects.toThrow('429');
    const back = vi.spyOn(Date, 'now').mockReturnValue(Date.now() - HOUR_MS);
    await expect(parts.directory.readAll(signal)).rejects.toThrow(/the next one is sent in (29|30) s$/);
    back.mockRestore();
  });
});
