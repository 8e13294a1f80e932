import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MOST_SESSIONS_OF_ONE, type StoredSession } from '../../src/queue/session-store.js';
import type { StartHarness, Store, StoreHarness } from './store-harness.js';

/** The contract of the port `SessionStore`. */
export function describeSessionStore(name: string, start: StartHarness): void {
  describe(`${name} as a store of sessions`, () => {
    const SOON = 60_000;
    let now: number;
    let harness: StoreHarness;
    let store: Store;
    const open = () =>
      harness.open({ now: () => now, sleep: () => Promise.reject(new Error('nothing waits')) });
    beforeEach(async () => {
      now = Date.parse('2026-01-31T12:00:00Z');
      harness = await start();
      store = await open();
    });
    afterEach(() => harness.dispose());

    const session = (id: string, more: Partial<StoredSession> = {}): StoredSession => ({
      id,
      names: ['oidc:main/ana'],
      body: `{"of":"${id}"}`,
      beganAt: now,
      endsAt: now + SOON,
      ...more,
    });
    const living = async (...ids: readonly string[]) => {
      const found = await Promise.all(ids.map((id) => store.sessions.get(id)));
      return ids.filter((_, at) => found[at] !== undefined);
    };

    it('keeps a session over a crash, until its end', async () => {
      await store.sessions.add(session('1', { body: 'zwei\n"%00' }));
      await harness.crash(store);
      store = await open();
      expect(await store.sessions.get('1')).toEqual({ body: 'zwei\n"%00', endsAt: now + SOON });
      expect(await store.sessions.get('2')).toBeUndefined();
      now += SOON;
      expect(await store.sessions.get('1')).toBeUndefined();
    });

    it('extends a session that lives, and brings none back', async () => {
      await store.sessions.add(session('1'));
      await store.sessions.add(session('2'));
      await store.sessions.end('2');
      const later = now + 2 * SOON;
      for (const id of ['1', '2', '3']) await store.sessions.extend(id, later);
      now += SOON;
      expect(await living('1', '2', '3')).toEqual(['1']);
      now += SOON;
      await store.sessions.extend('1', now + SOON);
      expect(await living('1')).toEqual([]);
    });

    it('ends every session with a name, and no other', async () => {
      // Names are hostile: an identity provider chooses them.
      const hostile = 'oidc:main/ana !\u0000 ü';
      await store.sessions.add(session('1', { names: [hostile, 'sid:main/7'] }));
      await store.sessions.add(session('2', { names: [hostile, 'sid:main/77'] }));
      await store.sessions.add(session('3'));
      await store.sessions.add(session('4', { names: ['oidc:main/ana2', 'sid:main/7'] }));
      await store.sessions.endNamed('sid:main/7');
      expect(await living('1', '2', '3', '4')).toEqual(['2', '3']);
      await store.sessions.endNamed(hostile);
      await store.sessions.endNamed('nobody');
      expect(await living('1', '2', '3', '4')).toEqual(['3']);
    });

    it('ends of the sessions with a name those that began until an instant', async () => {
      const began = [now - 1, now, now + 1];
      for (const [at, beganAt] of began.entries()) await store.sessions.add(session(`${at}`, { beganAt }));
      await store.sessions.endNamed('oidc:main/ana', now);
      expect(await living('0', '1', '2')).toEqual(['2']);
    });

    it('ends of one person beyond the limit the session that would end first', async () => {
      await store.sessions.add(session('other', { names: ['oidc:main/bob'], endsAt: now + 1 }));
      await store.sessions.add(session('last', { endsAt: now + SOON - 1 }));
      const ids = Array.from({ length: MOST_SESSIONS_OF_ONE }, (_, at) => `${at}`);
      for (const id of ids) await store.sessions.add(session(id));
      expect(await living('other', 'last', ...ids)).toEqual(['other', ...ids]);
      await store.sessions.add(session('0'));
      expect(await living(...ids)).toEqual(ids);
    });
  });
}
