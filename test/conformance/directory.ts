import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Directory } from '../../src/identity/directory.js';
import type { OAuthClient } from '../../src/model/client.js';

export interface WorldClient {
  readonly clientId: string;
  readonly scopes: readonly string[];
  readonly attributes?: Readonly<Record<string, string>>;
  readonly accessTokenLifetimeSeconds?: number;
}

/** An identity provider that can be changed as its administrator does, and the directory that reads it. */
export interface DirectoryWorld {
  readonly directory: Directory;
  /**
   * Where the identity provider chooses client ids itself and every one has the same form: the id of the client that the
   * suite calls by this name, there or not. All methods below take such ids.
   */
  clientIdOf?(name: string): string;
  /** An enabled client that uses client credentials. */
  addClient(client: WorldClient): Promise<void>;
  addScope(clientId: string, scope: string): Promise<void>;
  removeScope(clientId: string, scope: string): Promise<void>;
  setEnabled(clientId: string, enabled: boolean): Promise<void>;
  deleteClient(clientId: string): Promise<void>;
  /** Closes the directory too. */
  stop(): Promise<void>;
}

/** What every directory does; `start` gives a world whose directory reads pages of fewer than 20 clients. */
export function describeDirectory(name: string, start: () => Promise<DirectoryWorld>): void {
  describe(`${name}: a directory`, () => {
    let world: DirectoryWorld;
    const signal = new AbortController().signal;
    beforeAll(async () => {
      world = await start();
    });
    afterAll(() => world?.stop());

    const all = async () => {
      const { clients } = await world.directory.readAll(signal);
      return new Map(clients.map((client) => [client.clientId, client]));
    };
    const idOf = (name: string) => world.clientIdOf?.(name) ?? name;
    const one = (clientId: string) => world.directory.read('clientId', clientId, signal);
    // An identity provider may give every client scopes of its own accord (Keycloak: profile, email).
    const own = (client: OAuthClient | undefined) =>
      client?.grants
        .map((grant) => grant.name)
        .filter((scope) => scope.startsWith('t:'))
        .sort();

    it('shows a client with its scopes, lifetime, attributes and grant types', async () => {
      await world.addClient({
        clientId: idOf('shown'),
        scopes: ['t:read', 't:write'],
        attributes: { 'consul-services': 'web', actor: 'agent' },
        accessTokenLifetimeSeconds: 120,
      });
      const client = (await all()).get(idOf('shown'));
      expect(client).toMatchObject({
        provider: world.directory.provider,
        clientId: idOf('shown'),
        enabled: true,
        accessTokenLifetimeSeconds: 120,
        attributes: { 'consul-services': 'web', actor: 'agent' },
      });
      expect(client?.grantTypes).toEqual(['client_credentials']);
      expect(own(client)).toEqual(['t:read', 't:write']);
    });

    it('gives the same client in a single read and in a complete read', async () => {
      await world.addClient({
        clientId: idOf('twin'),
        scopes: ['t:read'],
        attributes: { actor: 'workload' },
      });
      const among = (await all()).get(idOf('twin'));
      expect(among).toBeDefined();
      expect(await one(idOf('twin'))).toEqual(among);
      if (among?.internalId !== undefined) {
        expect(await world.directory.read('internalId', among.internalId, signal)).toEqual(among);
      }
    });

    it('shows at once that a scope was added and removed', async () => {
      await world.addClient({ clientId: idOf('changing'), scopes: ['t:read'] });
      await world.addScope(idOf('changing'), 't:write');
      expect(own(await one(idOf('changing')))).toEqual(['t:read', 't:write']);
      await world.removeScope(idOf('changing'), 't:read');
      expect(own(await one(idOf('changing')))).toEqual(['t:write']);
      expect(own((await all()).get(idOf('changing')))).toEqual(['t:write']);
    });

    it('shows a disabled client as disabled', async () => {
      await world.addClient({ clientId: idOf('disabled'), scopes: ['t:read'] });
      await world.setEnabled(idOf('disabled'), false);
      expect(await one(idOf('disabled'))).toMatchObject({ enabled: false });
      expect((await all()).get(idOf('disabled'))).toMatchObject({ enabled: false });
      await world.setEnabled(idOf('disabled'), true);
      expect(await one(idOf('disabled'))).toMatchObject({ enabled: true });
    });

    it('shows a deleted client neither in a single read nor in a complete read', async () => {
      await world.addClient({ clientId: idOf('deleted'), scopes: ['t:read'] });
      const before = await one(idOf('deleted'));
      expect(before).toBeDefined();
      await world.deleteClient(idOf('deleted'));
      expect(await one(idOf('deleted'))).toBeUndefined();
      if (before?.internalId !== undefined) {
        expect(await world.directory.read('internalId', before.internalId, signal)).toBeUndefined();
      }
      expect((await all()).has(idOf('deleted'))).toBe(false);
    });

    it('finds nothing under an unknown ID', async () => {
      for (const clientId of ['nobody', '', ' ', '.', '..', '../twin', '*', '%', "' or 1=1 --", 'TWIN']) {
        expect(await one(clientId), clientId).toBeUndefined();
      }
    });

    it('distinguishes clients whatever characters their IDs contain', async () => {
      const odd = [
        'odd/../x',
        'odd?max=1&first=0',
        'odd%2Fx',
        'odd#x',
        'odd x',
        'oddü',
        'https://odd.example/x',
      ].map(idOf);
      for (const clientId of odd) await world.addClient({ clientId, scopes: ['t:read'] });
      const clients = await all();
      for (const clientId of odd) {
        expect(await one(clientId), clientId).toMatchObject({ clientId });
        expect(clients.has(clientId), clientId).toBe(true);
      }
    });

    it('shows every client of several pages', async () => {
      const many = Array.from({ length: 45 }, (_, at) => idOf(`many-${at}`));
      for (const clientId of many) await world.addClient({ clientId, scopes: ['t:read'] });
      const clients = await all();
      expect(many.filter((clientId) => !clients.has(clientId))).toEqual([]);
      const { clients: listed, requests } = await world.directory.readAll(signal);
      expect(new Set(listed.map((client) => client.clientId)).size).toBe(listed.length);
      expect(requests).toBeGreaterThan(0);
    });

    it('rejects with the reason of its signal when that aborts', async () => {
      const reason = new Error('stopping');
      await expect(world.directory.readAll(AbortSignal.abort(reason))).rejects.toBe(reason);
      await expect(world.directory.read('clientId', 'twin', AbortSignal.abort(reason))).rejects.toBe(reason);
      const stopping = new AbortController();
      const reading = world.directory.readAll(stopping.signal);
      stopping.abort(reason);
      await expect(reading).rejects.toBe(reason);
    });
  });
}

/** An identity provider whose groups and people can be changed as its administrator does. */
export interface MembersWorld {
  readonly directory: Directory;
  /** The name under which the mapping would have a new group or role of this name. */
  addGroup(name: string): Promise<string>;
  /** An enabled person in these groups, by the names that `addGroup` gave. Returns the `sub` of the person's tokens. */
  addPerson(name: string, groups: readonly string[]): Promise<string>;
  join(subject: string, group: string): Promise<void>;
  leave(subject: string, group: string): Promise<void>;
  setPersonEnabled(subject: string, enabled: boolean): Promise<void>;
  deletePerson(subject: string): Promise<void>;
  /** Closes the directory too. */
  stop(): Promise<void>;
}

/**
 * What every directory does that can tell the members of groups or roles; a directory without `readMembers` has no part
 * in it. `start` gives a world whose directory reads pages of fewer than 20 members. Run it beside `describeDirectory`.
 */
export function describeMembers(name: string, start: () => Promise<MembersWorld>): void {
  describe(`${name}: members of groups`, () => {
    let world: MembersWorld;
    const signal = new AbortController().signal;
    beforeAll(async () => {
      world = await start();
    });
    afterAll(() => world?.stop());

    const read = async (...groups: readonly string[]) => {
      const members = await world.directory.readMembers?.(groups, signal);
      if (members === undefined) throw new Error('this directory tells no members');
      return members;
    };
    const of = async (group: string) => [...((await read(group)).get(group) ?? [])].sort();

    it('are its enabled people, separately for each group', async () => {
      const [one, two] = [await world.addGroup('one'), await world.addGroup('two')];
      const ann = await world.addPerson('ann', [one]);
      const ben = await world.addPerson('ben', [one, two]);
      const members = await read(one, two);
      expect([...(members.get(one) ?? [])].sort()).toEqual([ann, ben].sort());
      expect(members.get(two)).toEqual([ben]);
      expect([...members.keys()].sort()).toEqual([one, two].sort());
    });

    it('change when somebody joins or leaves', async () => {
      const group = await world.addGroup('moving');
      const other = await world.addGroup('staying');
      const subject = await world.addPerson('mover', [other]);
      expect(await of(group)).toEqual([]);
      await world.join(subject, group);
      expect(await of(group)).toEqual([subject]);
      await world.leave(subject, group);
      expect(await of(group)).toEqual([]);
      expect(await of(other)).toEqual([subject]);
    });

    it('do not include disabled or deleted people', async () => {
      const group = await world.addGroup('leaving');
      const subject = await world.addPerson('leaver', [group]);
      await world.setPersonEnabled(subject, false);
      expect(await of(group)).toEqual([]);
      await world.setPersonEnabled(subject, true);
      expect(await of(group)).toEqual([subject]);
      await world.deletePerson(subject);
      expect(await of(group)).toEqual([]);
    });

    it('do not include those who left, were disabled or deleted, and have access by the group until now', async () => {
      const group = await world.addGroup('admitted');
      const people: string[] = [];
      for (const name of ['stays', 'left', 'ended', 'gone'])
        people.push(await world.addPerson(`${name}-admitted`, [group]));
      const [stays = '', left = '', ended = '', gone = ''] = people;
      await world.leave(left, group);
      await world.setPersonEnabled(ended, false);
      await world.deletePerson(gone);
      const members = await world.directory.readMembers?.([group], signal, new Map([[group, people]]));
      expect(members?.get(group)).toEqual([stays]);
    });

    it('are empty for a group that does not exist, whatever its name', async () => {
      const group = await world.addGroup('real');
      await world.addPerson('somebody', [group]);
      for (const name of [
        'nobody-has-this',
        '',
        ' ',
        '/',
        '.',
        '..',
        '/../real',
        'x/../real',
        '*',
        '%',
        'REAL',
      ])
        expect(await of(name), name).toEqual([]);
    });

    it('are complete over several pages', async () => {
      const group = await world.addGroup('many');
      const people = [];
      for (let at = 0; at < 45; at++) people.push(await world.addPerson(`many-${at}`, [group]));
      expect(await of(group)).toEqual(people.sort());
    });

    it('are not read if the signal is aborted', async () => {
      const reason = new Error('stopping');
      const reading = world.directory.readMembers?.(['real'], AbortSignal.abort(reason));
      await expect(reading).rejects.toBe(reason);
    });
  });
}
