import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Clock } from '../../../src/clock.js';
import { IncompleteRead } from '../../../src/errors.js';
import {
  type DocumentDirectory,
  parseClient,
  parsePage,
  toSnapshot,
} from '../../../src/identity/oidc/document.js';
import { createOidcPoll } from '../../../src/identity/oidc/poll.js';

const signal = new AbortController().signal;

/** A poll over a document that the test writes, by a clock that goes on one second a read. */
function polled(initial: object[]) {
  const world = {
    clients: initial,
    /** What a read of one client alone finds, where it differs from the document. */
    alone: new Map<string, object | undefined>(),
    people: undefined as object[] | undefined,
    failure: undefined as Error | undefined,
  };
  let now = Date.parse('2026-03-01T12:00:00.000Z');
  const clock: Clock = { now: () => now, sleep: () => Promise.reject(new Error('nothing here waits')) };
  const directory: DocumentDirectory = {
    provider: 'main',
    async readAll() {
      now += 1000;
      if (world.failure !== undefined) throw world.failure;
      const { clients, people } = world;
      return toSnapshot([parsePage({ clients, people }, 'main', 'd')], 'd', 1);
    },
    async read(_, clientId) {
      const isListed = (each: object) => 'clientId' in each && each.clientId === clientId;
      const found = world.alone.has(clientId) ? world.alone.get(clientId) : world.clients.find(isListed);
      return found === undefined ? undefined : parseClient(found, clientId, 'main', 'd');
    },
    close: async () => {},
  };
  const start = () => createOidcPoll({ directory, clock });
  return { world, ...start(), restarted: () => start().poll };
}

const a = { clientId: 'a', scopes: ['x', 'y'], attributes: { p: '1', q: '2' } };
const b = { clientId: 'b', scopes: [] };

describe('the poll of an oidc directory', () => {
  test('starts now: the first read has no events and no gap', async () => {
    const { poll } = polled([a, b]);
    expect(await poll.poll(undefined, signal)).toMatchObject({ events: [], gap: false });
  });

  test('reads the members again if a person changed, without evidence', async () => {
    const { world, poll } = polled([a]);
    world.people = [
      { subject: 'ann', groups: ['x', 'y'] },
      { subject: 'ben', groups: [] },
    ];
    const { cursor } = await poll.poll(undefined, signal);
    world.people = [
      { subject: 'ben', groups: [] },
      { subject: 'ann', groups: ['y', 'x'] },
    ];
    expect(await poll.poll(cursor, signal)).toMatchObject({ events: [], cursor, gap: false });
    world.people = [{ subject: 'ann', groups: ['x'] }];
    const { events } = await poll.poll(cursor, signal);
    expect(events.flatMap((event) => event.triggers)).toEqual([
      {
        key: { kind: 'provider', name: 'main' },
        cause: expect.objectContaining({ kind: 'poll', eventId: events[0]?.id }),
        members: true,
        urgent: true,
      },
    ]);
  });

  test('names the clients that changed, appeared and disappeared, without evidence', async () => {
    const { world, poll } = polled([a, b]);
    const { cursor } = await poll.poll(undefined, signal);
    world.clients = [
      { ...a, scopes: ['x'] },
      { clientId: 'c', scopes: [] },
    ];
    const { events, gap } = await poll.poll(cursor, signal);
    expect(gap).toBe(false);
    const triggers = events.flatMap((event) => event.triggers);
    expect(triggers.map(({ key, urgent }) => [key.kind === 'client' && key.value, urgent])).toEqual([
      ['a', true],
      ['b', true],
      ['c', undefined],
    ]);
    expect(triggers.every(({ evidence }) => evidence === undefined)).toBe(true);
    expect(triggers[0]?.cause).toMatchObject({ kind: 'poll', eventId: events[0]?.id });
  });

  test('reports nothing if nothing changed, in any order', async () => {
    const { world, poll } = polled([a, b]);
    const { cursor } = await poll.poll(undefined, signal);
    world.clients = [b, { attributes: { q: '2', p: '1' }, scopes: ['y', 'x'], clientId: 'a' }];
    expect(await poll.poll(cursor, signal)).toEqual({ events: [], cursor, gap: false });
  });

  test('gives a reverted change a new ID, so that it is not a duplicate of the first', async () => {
    const { world, poll } = polled([a]);
    const ids: string[] = [];
    let { cursor } = await poll.poll(undefined, signal);
    for (const scopes of [[], ['x', 'y'], []]) {
      world.clients = [{ ...a, scopes }];
      const result = await poll.poll(cursor, signal);
      ids.push(...result.events.map(({ id }) => id));
      cursor = result.cursor;
    }
    expect(new Set(ids).size).toBe(3);
  });

  test('reports again what was not stored: an older cursor is a gap', async () => {
    const { world, poll } = polled([a]);
    const { cursor } = await poll.poll(undefined, signal);
    world.clients = [b];
    expect((await poll.poll(cursor, signal)).events).toHaveLength(2);
    expect(await poll.poll(cursor, signal)).toMatchObject({ events: [], gap: true });
  });

  test('knows after a restart whether something changed, but not what', async () => {
    const { world, poll, restarted } = polled([a]);
    const { cursor } = await poll.poll(undefined, signal);
    expect(await restarted().poll(cursor, signal)).toEqual({ events: [], cursor, gap: false });
    world.clients = [b];
    const late = await restarted().poll(cursor, signal);
    expect(late).toMatchObject({ events: [], gap: true });
    expect(late.cursor).not.toBe(cursor);
  });

  test('leads to one complete comparison if very many changed', async () => {
    const many = Array.from({ length: 201 }, (_, at) => ({ clientId: `c${at}`, scopes: [] as string[] }));
    const { world, poll } = polled(many);
    const { cursor } = await poll.poll(undefined, signal);
    world.clients = many.map((client) => ({ ...client, scopes: ['x'] }));
    expect(await poll.poll(cursor, signal)).toMatchObject({ events: [], gap: true });
  });

  describe('of a document that contradicts the reads of one client', () => {
    const named = ({ events }: Awaited<ReturnType<ReturnType<typeof polled>['poll']['poll']>>) =>
      events.flatMap(({ triggers }) =>
        triggers.map(({ key, urgent }) => [key.kind === 'client' && key.value, urgent]),
      );

    test('names a client again that is deleted after a document lacked it by mistake', async () => {
      const { world, directory, poll } = polled([a, b]);
      let { cursor } = await poll.poll(undefined, signal);
      world.clients = [b];
      world.alone.set('a', a);
      const short = await poll.poll(cursor, signal);
      expect(named(short)).toEqual([['a', true]]);
      expect(await directory.read('clientId', 'a', signal)).toBeDefined();
      // The document stays as it is, and now it is right.
      world.alone.delete('a');
      const right = await poll.poll(short.cursor, signal);
      expect(named(right)).toEqual([['a', true]]);
      expect(await directory.read('clientId', 'a', signal)).toBeUndefined();
      ({ cursor } = right);
      expect(await poll.poll(cursor, signal)).toEqual({ events: [], cursor, gap: false });
    });

    test('names a client that was gone for a moment between two polls', async () => {
      const { world, directory, poll } = polled([a, b]);
      const first = await poll.poll(undefined, signal);
      world.alone.set('a', undefined);
      expect(await directory.read('clientId', 'a', signal)).toBeUndefined();
      world.alone.delete('a');
      const naming = await poll.poll(first.cursor, signal);
      const { cursor } = naming;
      expect(named(naming)).toEqual([['a', true]]);
      expect(await directory.read('clientId', 'a', signal)).toBeDefined();
      expect(await poll.poll(cursor, signal)).toEqual({ events: [], cursor, gap: false });
    });

    test('names once what a complete read between two polls saw otherwise', async () => {
      const { world, directory, poll, restarted } = polled([a, b]);
      const { cursor } = await poll.poll(undefined, signal);
      world.clients = [b];
      await directory.readAll(signal);
      world.clients = [a, b];
      const naming = await poll.poll(cursor, signal);
      expect(named(naming)).toEqual([['a', true]]);
      expect(await poll.poll(naming.cursor, signal)).toEqual({ ...naming, events: [] });
      expect(await restarted().poll(naming.cursor, signal)).toMatchObject({ events: [], gap: false });
    });

    test('finds a gap if the event that named it once could not be stored', async () => {
      const { world, directory, poll } = polled([a, b]);
      const { cursor } = await poll.poll(undefined, signal);
      world.clients = [b];
      await directory.readAll(signal);
      world.clients = [a, b];
      expect(named(await poll.poll(cursor, signal))).toEqual([['a', true]]);
      expect(await poll.poll(cursor, signal)).toMatchObject({ events: [], gap: true });
    });

    test('leads to one complete comparison if a complete read saw very many otherwise', async () => {
      const many = Array.from({ length: 202 }, (_, at) => ({ clientId: `c${at}`, scopes: [] as string[] }));
      const { world, directory, poll } = polled(many);
      const { cursor } = await poll.poll(undefined, signal);
      world.clients = many.slice(0, 1);
      await directory.readAll(signal);
      world.clients = many;
      expect(await poll.poll(cursor, signal)).toMatchObject({ events: [], gap: true });
    });

    test('leads to one complete comparison if very many reads of one client saw otherwise', async () => {
      const many = Array.from({ length: 201 }, (_, at) => ({ clientId: `c${at}`, scopes: [] as string[] }));
      const { world, directory, poll } = polled(many);
      const { cursor } = await poll.poll(undefined, signal);
      for (const { clientId } of many) {
        world.alone.set(clientId, undefined);
        await directory.read('clientId', clientId, signal);
      }
      expect(await poll.poll(cursor, signal)).toMatchObject({ events: [], gap: true });
    });

    test('does not name a client whose record neither can be parsed', async () => {
      const unreadable = { clientId: 'a', scopes: ['x y'] };
      const { world, directory, poll } = polled([b]);
      let { cursor } = await poll.poll(undefined, signal);
      world.clients = [b, unreadable];
      const changed = await poll.poll(cursor, signal);
      expect(named(changed)).toEqual([['a', undefined]]);
      await expect(directory.read('clientId', 'a', signal)).rejects.toThrow('cannot be read');
      ({ cursor } = changed);
      expect(await poll.poll(cursor, signal)).toEqual({ events: [], cursor, gap: false });
    });
  });

  test('a read that fails loses nothing', async () => {
    const { world, poll } = polled([a]);
    const { cursor } = await poll.poll(undefined, signal);
    world.failure = new IncompleteRead('ERR_DIRECTORY_INCOMPLETE', 'half', { retriable: true });
    await expect(poll.poll(cursor, signal)).rejects.toThrow('half');
    world.failure = undefined;
    world.clients = [b];
    expect((await poll.poll(cursor, signal)).events).toHaveLength(2);
  });

  test('reports any difference in what scopemesh reads of a client', async () => {
    const client = fc.record(
      {
        enabled: fc.boolean(),
        scopes: fc.uniqueArray(fc.constantFrom('x', 'y', 'z')),
        grantTypes: fc.uniqueArray(fc.constantFrom('client_credentials', 'authorization_code')),
        accessTokenLifetimeSeconds: fc.integer({ min: 1, max: 3 }),
        attributes: fc.dictionary(fc.constantFrom('p', 'q'), fc.constantFrom('1', '2')),
      },
      { requiredKeys: ['scopes', 'enabled', 'grantTypes', 'attributes'] },
    );
    const sorted = (value: object) =>
      JSON.stringify(value, (_, each: unknown) => {
        if (Array.isArray(each)) return [...each].sort();
        if (typeof each !== 'object' || each === null) return each;
        return Object.fromEntries(Object.entries(each).sort(([x], [y]) => (x < y ? -1 : 1)));
      });
    await fc.assert(
      fc.asyncProperty(client, client, async (before, after) => {
        const { world, poll } = polled([{ clientId: 'a', ...before }]);
        const { cursor } = await poll.poll(undefined, signal);
        world.clients = [{ clientId: 'a', ...after }];
        const { events } = await poll.poll(cursor, signal);
        expect(events).toHaveLength(sorted(before) === sorted(after) ? 0 : 1);
      }),
    );
  });
});
