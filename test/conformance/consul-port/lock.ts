import { expect, it } from 'vitest';
import { failureOf } from '../../support/failure-of.js';
import { type ConsulRig, never } from './rig.js';

export function lock(theRig: () => ConsulRig): void {
  /** The lock and the cluster ID of an owner that no other test has. */
  const fresh = () => {
    const { connect, fresh: unique, server } = theRig();
    const owner = unique('owner');
    const one = connect(server.managementToken, { owner });
    return { owner, lock: one.lock, clusterId: one.clusterId };
  };
  const sessionOf = (of: ReturnType<typeof fresh>) => of.lock.createSession('replica', 10, never);

  it('is free at first, and has the text of its holder and the session once it is taken', async () => {
    const all = fresh();
    expect(await all.lock.read(never)).toEqual({ value: undefined, session: undefined });
    const session = await sessionOf(all);
    expect(await all.lock.acquire(session, 'one ünï😀', never)).toBe(true);
    expect(await all.lock.read(never)).toEqual({ value: 'one ünï😀', session });
  });

  it('its holder may take it again with another text; another session may not', async () => {
    const all = fresh();
    const [first, second] = [await sessionOf(all), await sessionOf(all)];
    await all.lock.acquire(first, 'one', never);
    expect(await all.lock.acquire(second, 'two', never)).toBe(false);
    expect(await all.lock.acquire(first, 'three', never)).toBe(true);
    expect(await all.lock.read(never)).toEqual({ value: 'three', session: first });
  });

  it('is free at once after its session has ended, and keeps the text', async () => {
    const all = fresh();
    const [first, second] = [await sessionOf(all), await sessionOf(all)];
    await all.lock.acquire(first, 'one', never);
    await all.lock.endSession(first, never);
    expect(await all.lock.read(never)).toEqual({ value: 'one', session: undefined });
    expect(await all.lock.acquire(second, 'two', never)).toBe(true);
  });

  it('a session that has ended cannot be renewed, ended again without an error, and takes nothing', async () => {
    const all = fresh();
    const session = await sessionOf(all);
    expect(await all.lock.renewSession(session, never)).toBe(true);
    await all.lock.endSession(session, never);
    expect(await all.lock.renewSession(session, never)).toBe(false);
    await all.lock.endSession(session, never);
    expect(await all.lock.acquire(session, 'late', never)).toBe(false);
  });

  it('a session lives by its TTL alone, without a health check and without a lock-delay', async () => {
    const session = await sessionOf(fresh());
    expect(await theRig().request('GET', `/v1/session/info/${session}`)).toMatchObject([
      { ID: session, Name: 'replica', TTL: '10s', LockDelay: 0, Behavior: 'release', NodeChecks: [] },
    ]);
  });

  it('a token without session:write is refused with the line to add', async () => {
    const { connect, tokenWith } = theRig();
    const weak = connect(await tokenWith('key_prefix "scopemesh/payments/" { policy = "write" }'));
    const failure = await failureOf(weak.lock.createSession('replica', 10, never));
    expect(failure.code).toBe('ERR_CONSUL_DENIED');
    expect(failure.message).toContain('session_prefix "" { policy = "write" }');
  });

  it('a token that may not write the key, or not read it, is refused with the permission that it lacks', async () => {
    const { connect, tokenWith } = theRig();
    const weak = connect(await tokenWith('session_prefix "" { policy = "write" }'));
    const session = await weak.lock.createSession('replica', 10, never);
    const denied = async (promise: Promise<unknown>) => {
      const failure = await failureOf(promise);
      expect(failure).toMatchObject({ code: 'ERR_CONSUL_DENIED', retriable: false });
      return failure.message;
    };
    expect(await denied(weak.lock.acquire(session, 'text', never))).toContain('lacks key:write on');
    expect(await denied(weak.logNote.write('text', never))).toContain('lacks key:write on');
    expect(await denied(weak.clusterId.create('id', never))).toContain('lacks key:write on');
    expect(await denied(weak.lock.read(never))).toContain('lacks key:read on');
    await weak.lock.endSession(session, never);
  });

  it('is taken with a datacenter too, and a wrong one is no free lock', async () => {
    const { connect, server } = theRig();
    const named = (datacenter: string) =>
      connect(server.managementToken, { datacenter, owner: 'by-place' }).lock;
    const here = named(server.datacenter);
    const session = await here.createSession('replica', 10, never);
    expect(await here.acquire(session, 'text', never)).toBe(true);
    expect(await here.renewSession(session, never)).toBe(true);
    expect(await failureOf(named('nowhere').read(never))).toMatchObject({ code: 'ERR_CONSUL_UNREACHABLE' });
    await here.endSession(session, never);
  });

  it('an ID of the cluster is written once and stays', async () => {
    const { clusterId } = fresh();
    expect(await clusterId.read(never)).toBeUndefined();
    expect(await clusterId.create('first', never)).toBe('first');
    expect(await clusterId.create('second', never)).toBe('first');
    expect(await clusterId.read(never)).toBe('first');
  });
}
