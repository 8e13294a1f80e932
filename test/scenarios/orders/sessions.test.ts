import { once } from 'node:events';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { endSessions } from '../../../src/acl/job/sessions.js';
import type { Consul } from '../../../src/consul/consul.js';
import { SyncError } from '../../../src/errors.js';
import { providerKey } from '../../../src/model/key.js';
import type { RevocationOrder } from '../../../src/model/order.js';
import { personName } from '../../../src/plan/object-names.js';
import { type AclRig, createAclRig, type Login, loggedIn } from '../../support/acl-rig.js';
import { clientOf, OWNER } from '../../support/daemon.js';
import { startWorker, type Worker, withAcl } from '../../support/reconcile-rig.js';
import { until } from '../../support/until.js';

let rig: AclRig;
let worker: Worker;
afterEach(async () => {
  await worker.stop();
  await rig.close();
});

const METHOD = 'scopemesh-payments-main-_people';
const acl = 'key_prefix "config/" { policy = "read" }';

async function start(wrap?: (consul: Consul) => Consul) {
  rig = await createAclRig({
    clients: [
      { clientId: 'bot-app', scopes: ['config:read'], grantTypes: ['client_credentials'] },
      { clientId: 'portal-app', scopes: ['config:read'], grantTypes: ['authorization_code'] },
      clientOf('web'),
    ],
    file: { groups: { oncall: { acl }, audit: { acl } } },
  });
  rig.idp.people = new Map([
    ['ann', ['oncall', 'audit']],
    ['ben', ['oncall']],
  ]);
  await rig.mesh.request('PUT', '/v1/kv/config/a', 'x');
  rig.writeFile();
  worker = await startWorker(rig, wrap);
  await worker.idle();
  rig.clock.advance(5_000);
}

const login = async (subject: string, ...groups: string[]) =>
  loggedIn(await rig.login('web-app', { sub: subject, groups }, METHOD));
const alive = async (token: Login) => (await rig.readKey(token, 'config/a')) === 200;
const decided = async () => (await worker.settled()).filter(({ reason }) => reason === 'SessionRevoked');

async function order(of: Partial<RevocationOrder>, atMs = rig.clock.now()) {
  const at = new Date(atMs).toISOString();
  const cause = { kind: 'webhook' as const, receivedAt: at, eventId: 'e-1', principal: { id: 'root' } };
  const session: RevocationOrder = { kind: 'session-revoked', provider: 'main', at, cause, ...of };
  await worker.inbox.add([{ key: providerKey('main'), cause, urgent: true, order: session }]);
}

const journalOf = ({ deps: { journal } }: Worker) => ({
  ...journal,
  read: (key: string) => journal.read(key),
  record: (key: string, drafts: Parameters<typeof journal.record>[1]) => journal.record(key, drafts),
});

/** `times` deletions of tokens go well, then one fails, then all go well. */
const failingOnce =
  (after: number) =>
  (consul: Consul): Consul => {
    let left = after;
    return {
      ...consul,
      acl: {
        ...consul.acl,
        async deleteTokens(ids, signal, perSecond) {
          if (left-- === 0) {
            const [first = ''] = ids;
            await consul.acl.deleteTokens([first], signal);
            throw new SyncError('ERR_CONSUL_UNREACHABLE', 'away', { retriable: true });
          }
          return consul.acl.deleteTokens(ids, signal, perSecond);
        },
      },
    };
  };

describe('an order about a session', () => {
  it('is carried out again until it is done, and is one decision all the same', async () => {
    await start(failingOnce(0));
    const tokens = [await login('ann', 'oncall'), await login('ann', 'oncall'), await login('ann', 'audit')];
    const ben = await login('ben', 'oncall');
    await order({ subject: 'ann' });
    await worker.idle();
    for (const token of tokens) expect(await alive(token)).toBe(false);
    expect(await alive(ben)).toBe(true);
    const [decision, ...more] = await decided();
    expect(more).toEqual([]);
    expect(decision).toMatchObject({
      type: 'dev.scopemesh.acl-token.deleted',
      outcome: 'applied',
      principal: { id: 'root' },
      person: { provider: 'main', subject: 'ann', actorKind: 'human' },
    });
    // How many the first run ended is not known any more.
    expect(decision?.detail).toMatch(/^ended its live tokens;/);
    expect((await worker.store.journal.read('provider/main')).pending).toEqual([]);
  });

  it('is left alone by jobs that plan people meanwhile, and finished by its own job', async () => {
    await start();
    const token = await login('ann', 'oncall');
    const died = {
      ...worker.deps,
      journal: { ...journalOf(worker), settle: () => Promise.reject(new Error('died')) },
    };
    const at = new Date(rig.clock.now()).toISOString();
    const cause = { kind: 'webhook' as const, receivedAt: at };
    const session = { kind: 'session-revoked', provider: 'main', subject: 'ann', at, cause } as const;
    const key = { kind: 'provider', name: 'main' } as const;
    const job = { key, triggers: [{ key, cause, order: session }], attempts: 0 };
    await expect(endSessions(key, job, died, new AbortController().signal)).rejects.toThrow('died');
    await worker.add(providerKey('main'), 'resync');
    await worker.idle();
    expect(await decided()).toEqual([]);
    expect((await worker.store.journal.read('provider/main')).pending).toHaveLength(1);
    await worker.inbox.add(job.triggers);
    await worker.idle();
    expect(await alive(token)).toBe(false);
    expect((await decided()).map(({ outcome }) => outcome)).toEqual(['applied']);
    expect((await worker.store.journal.read('provider/main')).pending).toEqual([]);
  });

  it('that cannot be carried out does not delay a removal of people or a read of the directory', async () => {
    let isDenied = true;
    await start((consul) => ({
      ...consul,
      acl: {
        ...consul.acl,
        tokens: (by, signal) =>
          isDenied && by !== 'all' && 'role' in by && by.role.includes('_person-')
            ? Promise.reject(new SyncError('ERR_CONSUL_DENIED', 'no', { retriable: false }))
            : consul.acl.tokens(by, signal),
      },
    }));
    const bot = loggedIn(await rig.login('bot-app'));
    const portal = loggedIn(await rig.login('portal-app'));
    rig.idp.put('bot-app');
    await order({ subject: 'ann' });
    await order({ clientId: 'portal-app' });
    await until("the other order's token gone", async () => !(await alive(portal)));
    await worker.add(providerKey('main'), 'poll', { fullRead: true });
    await until('the scope gone', async () => !(await alive(bot)));
    isDenied = false;
    await worker.idle();
  });

  it('waits for no complete read of the directory, nor does somebody who left a group', async () => {
    await start();
    const [ann, ben] = [await login('ann', 'oncall'), await login('ben', 'oncall')];
    const directory = worker.deps.directories.get('main');
    if (directory === undefined) throw new Error('no directory');
    const readAll = directory.readAll.bind(directory);
    const finish = new AbortController();
    const hanging = vi.spyOn(directory, 'readAll').mockImplementation(async (signal) => {
      if (!finish.signal.aborted) await once(finish.signal, 'abort');
      return readAll(signal);
    });
    await worker.add(providerKey('main'), 'poll', { fullRead: true });
    await until('the read', async () => hanging.mock.calls.length > 0);
    await order({ subject: 'ann' });
    await until("ann's token gone", async () => !(await alive(ann)));
    rig.idp.people?.set('ben', []);
    await worker.add(providerKey('main'), 'webhook', { members: true, urgent: true });
    await until("ben's token gone", async () => !(await alive(ben)));
    finish.abort();
    await worker.idle();
  });

  it('that comes twice, or of somebody without a token, does nothing more and says nothing more', async () => {
    await start();
    const token = await login('ann', 'oncall');
    await order({ subject: 'ann' });
    await worker.idle();
    expect(await alive(token)).toBe(false);
    await order({ subject: 'ann' });
    await order({ subject: 'nobody' });
    await worker.idle();
    expect(await decided()).toHaveLength(1);
    expect((await decided())[0]?.detail).toMatch(/^ended 1 live token;/);
  });

  it('ends the tokens of a group that the file does not map any more, while they exist', async () => {
    await start();
    const token = await login('ann', 'audit');
    const { world } = worker.deps;
    world.setMapping({ ...world.mapping, acl: { ...world.mapping.acl, groups: [] } });
    await order({ subject: 'ann' });
    await worker.idle();
    expect(await alive(token)).toBe(false);
    expect(await decided()).toHaveLength(1);
  });

  it('at a client where people sign in ends all of that client’s tokens, of a robot’s client none', async () => {
    await start();
    const signedIn = async (subject: string) => loggedIn(await rig.login('portal-app', { sub: subject }));
    const [ann, ben] = [await signedIn('ann'), await signedIn('ben')];
    const bot = loggedIn(await rig.login('bot-app'));
    await order({ subject: 'ann', clientId: 'bot-app' });
    await order({ subject: 'ann', clientId: 'portal-app' });
    await worker.idle();
    // Consul does not record who logged in by a client's method: both have to log in again.
    expect([await alive(ann), await alive(ben), await alive(bot)]).toEqual([false, false, true]);
    const [decision] = await decided();
    expect(decision?.client).toEqual({ provider: 'main', clientId: 'portal-app', actorKind: 'human' });
    expect(await alive(await signedIn('ann'))).toBe(true);
  });

  it('at a client that no read has shown yet ends all of that client’s tokens', async () => {
    await start();
    const token = loggedIn(await rig.login('portal-app', { sub: 'ann' }));
    await worker.stop();
    rig.idp.fault = () => ({ status: 503 });
    worker = await startWorker(rig);
    await order({ subject: 'ann', clientId: 'portal-app' });
    await until('the end of the token', async () => !(await alive(token)));
    rig.idp.fault = undefined;
  });

  it('ends also a token that is issued between the list and the deletion', async () => {
    let meanwhile: (() => Promise<void>) | undefined;
    await start((consul) =>
      withAcl(consul, ({ tokens }) => ({
        async tokens(...args) {
          const found = await tokens(...args);
          await meanwhile?.();
          return found;
        },
      })),
    );
    const issued = [loggedIn(await rig.login('bot-app'))];
    meanwhile = async () => {
      meanwhile = undefined;
      issued.push(loggedIn(await rig.login('bot-app')));
    };
    await order({ clientId: 'bot-app' });
    await worker.idle();
    expect(issued).toHaveLength(2);
    for (const token of issued) expect(await alive(token)).toBe(false);
    const [decision] = await decided();
    expect(decision?.detail).toMatch(/^ended 2 live tokens;/);
  });

  it('that names no person ends the tokens of all people, and of no workload', async () => {
    await start();
    const people = [
      await login('ann', 'oncall'),
      await login('ben', 'oncall'),
      loggedIn(await rig.login('portal-app', { sub: 'cal' })),
    ];
    const bot = loggedIn(await rig.login('bot-app'));
    await order({}, rig.clock.now() - 3_600_000);
    await worker.idle();
    for (const token of people) expect(await alive(token)).toBe(true);
    await order({});
    await worker.idle();
    for (const token of people) expect(await alive(token)).toBe(false);
    expect(await alive(bot)).toBe(true);
    const [decision, ...more] = await decided();
    expect(more).toEqual([]);
    expect(decision).toMatchObject({ outcome: 'applied', resource: { name: METHOD } });
    expect(decision).not.toHaveProperty('person');
    expect(decision?.detail).toMatch(/^ended 3 live tokens;/);
    expect(await alive(await login('ann', 'oncall'))).toBe(true);
  });

  it('of an unknown client ends nothing', async () => {
    await start();
    const token = await login('ann', 'oncall');
    await order({ internalId: 'nobody-knows' });
    await worker.idle();
    expect(await alive(token)).toBe(true);
  });

  it('that names a client alone ends what the client got', async () => {
    await start();
    const bot = loggedIn(await rig.login('bot-app'));
    await order({ clientId: 'bot-app' });
    await worker.idle();
    expect(await alive(bot)).toBe(false);
  });

  it('reaches what a clock that is a little ahead seems to have issued later, and nothing that is new', async () => {
    await start();
    const token = await login('ann', 'oncall');
    await order({ subject: 'ann' }, rig.clock.now() - 60_000);
    await worker.idle();
    expect(await alive(token)).toBe(true);
    const issued = (await rig.mesh.request('GET', `/v1/acl/token/${token.accessorId}`)) as {
      CreateTime: string;
    };
    await order({ subject: 'ann' }, Date.parse(issued.CreateTime) - 2_000);
    await worker.idle();
    expect(await alive(token)).toBe(false);
  });

  it('does not affect a person with a similar name', async () => {
    await start();
    rig.idp.people?.set('Ann', ['oncall']);
    await worker.add(providerKey('main'), 'webhook', { members: true });
    await worker.idle();
    const [ann, other] = [await login('ann', 'oncall'), await login('Ann', 'oncall')];
    expect(personName(OWNER, 'main', 'ann', 'oncall')).not.toBe(personName(OWNER, 'main', 'Ann', 'oncall'));
    await order({ subject: 'Ann' });
    await worker.idle();
    expect([await alive(ann), await alive(other)]).toEqual([true, false]);
  });
});

describe('a client whose secret was compromised', () => {
  it('loses its tokens and its method, until the secret is seen changed', async () => {
    await start();
    const bot = loggedIn(await rig.login('bot-app'));
    const at = new Date(rig.clock.now()).toISOString();
    const cause = { kind: 'webhook' as const, receivedAt: at };
    const key = { kind: 'client', provider: 'main', by: 'clientId', value: 'bot-app' } as const;
    const compromised = {
      kind: 'secret-compromised',
      provider: 'main',
      clientId: 'bot-app',
      at,
      cause,
    } as const;
    await worker.inbox.add([{ key, cause, urgent: true, order: compromised }]);
    await worker.idle();
    expect(await alive(bot)).toBe(false);
    expect(await rig.login('bot-app')).toBe(403);
    const gone = (await worker.settled()).filter(({ reason }) => reason === 'ClientQuarantined');
    const method = gone.find(({ type }) => type === 'dev.scopemesh.acl-auth-method.deleted');
    expect(method).toMatchObject({
      outcome: 'applied',
      client: { clientId: 'bot-app', actorKind: 'workload' },
    });
    expect(method?.detail).toMatch(/^ended 1 live token;/);
  });
});
