import { describe, expect, it } from 'vitest';
import { ClientUnreadable, SyncError } from '../../src/errors.js';
import { withConfirmedLosses } from '../../src/identity/confirmed-losses.js';
import type { Directory } from '../../src/identity/directory.js';
import type { OAuthClient } from '../../src/model/client.js';
import { noMetrics, silentLogger } from '../../src/observe.js';
import { client as clientWith } from '../plan/scene.js';

const signal = new AbortController().signal;
const idsFrom = (first: number, count: number) =>
  Array.from({ length: count }, (_, at) => `client-${first + at}`);
const client = (clientId: string, more: Partial<OAuthClient> = {}) =>
  clientWith(clientId, ['orders:read'], more);

/** A provider whose list and single reads are scripted apart. */
function startProvider(count: number) {
  const clients = idsFrom(0, count).map((clientId) => client(clientId));
  const provider = {
    clients,
    listed: new Map(clients.map((each) => [each.clientId, each])),
    alone: new Map<string, OAuthClient | Error>(clients.map((each) => [each.clientId, each])),
    asked: [] as string[],
    /** Deletes them from the list, as a short list does. */
    hide: (ids: readonly string[]) => {
      for (const id of ids) provider.listed.delete(id);
    },
    delete: (ids: readonly string[]) => {
      provider.hide(ids);
      for (const id of ids) provider.alone.delete(id);
    },
    async readAll() {
      provider.asked = [];
      return directory.readAll(signal);
    },
    async idsRead() {
      const { clients: read, unreadable } = await provider.readAll();
      return {
        gone: clients
          .map(({ clientId }) => clientId)
          .filter((id) => ![...read, ...unreadable].some(({ clientId }) => clientId === id)),
        unknown: unreadable.map(({ clientId }) => clientId),
      };
    },
  };
  const inner: Directory = {
    provider: 'main',
    readAll: async () => ({ clients: [...provider.listed.values()], unreadable: [], requests: 1 }),
    async read(_by, clientId) {
      provider.asked.push(clientId);
      const answer = provider.alone.get(clientId);
      if (answer instanceof Error) throw answer;
      return answer;
    },
    close: async () => {},
  };
  const directory = withConfirmedLosses(inner, { logger: silentLogger, metrics: noMetrics });
  return provider;
}

const unreachable = () => new SyncError('ERR_DIRECTORY_UNREACHABLE', 'answers 500', { retriable: true });

describe('When few clients are missing from a list', () => {
  it('those that still answer alone are kept, and those that do not are gone', async () => {
    const idp = startProvider(20);
    await idp.readAll();
    idp.delete(['client-3']);
    idp.hide(['client-4']);
    const read = await idp.readAll();
    expect(read.clients.map(({ clientId }) => clientId).sort()).toEqual(
      idp.clients.flatMap(({ clientId }) => (clientId === 'client-3' ? [] : clientId)).sort(),
    );
    expect(read.unreadable).toEqual([]);
    expect(idp.asked).toEqual(['client-3', 'client-4']);
  });

  it('one that is disabled alone is gone', async () => {
    const idp = startProvider(20);
    await idp.readAll();
    idp.hide(['client-3']);
    idp.alone.set('client-3', client('client-3', { enabled: false }));
    expect((await idp.idsRead()).gone).toEqual(['client-3']);
  });

  it('one keeps only the scopes that it has alone', async () => {
    const idp = startProvider(20);
    await idp.readAll();
    const [kept] = idp.clients;
    const less = client('client-0', { grants: [] });
    idp.hide(['client-0']);
    idp.alone.set('client-0', less);
    const { clients } = await idp.readAll();
    expect(kept?.grants).toHaveLength(1);
    expect(clients).toContainEqual(less);
  });

  it('five are asked for, and believed to be gone if none answers', async () => {
    const idp = startProvider(100);
    await idp.readAll();
    idp.delete(idsFrom(10, 50));
    expect(await idp.idsRead()).toEqual({ gone: idsFrom(10, 50), unknown: [] });
    expect(idp.asked).toHaveLength(5);
    await idp.readAll();
    expect(idp.asked).toEqual([]);
  });

  it('fifty more are asked for if one of five answers, and the others are unknown until the next reads', async () => {
    const idp = startProvider(300);
    await idp.readAll();
    idp.delete(idsFrom(1, 119));
    idp.hide(['client-0']);
    const first = await idp.idsRead();
    expect(idp.asked).toHaveLength(55);
    expect(first.gone).toHaveLength(54);
    expect(first.unknown).toHaveLength(65);
    // Those that were not asked for come first, so that a client that comes and goes keeps no other.
    await idp.readAll();
    expect(await idp.idsRead()).toEqual({ gone: idsFrom(1, 119), unknown: [] });
    expect((await idp.readAll()).clients).toContainEqual(client('client-0'));
  });

  it('one whose record cannot be read is unknown', async () => {
    const idp = startProvider(20);
    await idp.readAll();
    idp.hide(['client-3']);
    idp.alone.set('client-3', new ClientUnreadable('main', 'client-3', 'no scopes'));
    for (let read = 0; read < 3; read++) expect((await idp.idsRead()).unknown).toEqual(['client-3']);
  });

  it('one whose own read fails is unknown in one read, and gone in the next', async () => {
    const idp = startProvider(20);
    await idp.readAll();
    idp.hide(['client-3', 'client-4']);
    idp.alone.delete('client-4');
    idp.alone.set('client-3', unreachable());
    expect(await idp.idsRead()).toEqual({ gone: ['client-4'], unknown: ['client-3'] });
    expect(await idp.idsRead()).toEqual({ gone: ['client-3', 'client-4'], unknown: [] });
  });

  it('a limit on requests ends the read, which counts after it', async () => {
    const idp = startProvider(20);
    await idp.readAll();
    idp.hide(['client-3']);
    const limited = new SyncError('ERR_DIRECTORY_RATE_LIMITED', 'wait', { retriable: true });
    idp.alone.set('client-3', limited);
    await expect(idp.readAll()).rejects.toBe(limited);
    idp.alone.delete('client-3');
    expect((await idp.idsRead()).gone).toEqual(['client-3']);
  });
});

describe('When a list shows few clients with less', () => {
  it('one has what it has alone, in each of several reads', async () => {
    const idp = startProvider(20);
    await idp.readAll();
    idp.listed.set('client-3', client('client-3', { grants: [] }));
    idp.listed.set('client-4', client('client-4', { grants: [] }));
    idp.alone.set('client-4', client('client-4', { grants: [] }));
    for (let read = 0; read < 2; read++) {
      const { clients } = await idp.readAll();
      expect(clients).toContainEqual(client('client-3'));
      expect(clients).toContainEqual(client('client-4', { grants: [] }));
    }
  });

  it('one that is disabled is so at once, even if its own read fails', async () => {
    const idp = startProvider(20);
    await idp.readAll();
    const disabled = client('client-3', { enabled: false });
    idp.listed.set('client-3', disabled);
    idp.alone.set('client-3', unreachable());
    const { clients, unreadable } = await idp.readAll();
    expect(clients).toContainEqual(disabled);
    expect(unreadable).toEqual([]);
  });

  it('a disabled one is never unknown, however many are missing beside it', async () => {
    const idp = startProvider(300);
    await idp.readAll();
    idp.hide(idsFrom(0, 100));
    const disabled = idsFrom(100, 20).map((id) => client(id, { enabled: false }));
    for (const each of disabled) {
      idp.listed.set(each.clientId, each);
      idp.alone.set(each.clientId, each);
    }
    const { clients } = await idp.readAll();
    expect(clients.filter(({ enabled }) => !enabled)).toEqual(disabled);
  });
});
