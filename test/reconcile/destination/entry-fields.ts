import { expect, it } from 'vitest';
import { providerKey } from '../../../src/model/key.js';
import type { RawEntry } from '../../support/mesh.js';
import { ordersRig } from '../../support/orders-rig.js';
import { startWorker } from '../../support/reconcile-rig.js';

type Request = (method: string, path: string, body?: unknown) => Promise<unknown>;

/** A Consul as its operator reaches it. */
interface Operated {
  /** What the operator puts into the entry of `orders` besides sources. */
  readonly fields: Readonly<Record<string, unknown>>;
  prepare(request: Request): Promise<void>;
  /** Instead of the embedded one. */
  readonly real?: {
    readonly consul: { readonly address: string; readonly token: string };
    readonly request: Request;
    stop(): Promise<void>;
  };
}

const ENTRY = '/v1/config/service-intentions/orders';

/** What operators put into an entry stays there, whatever comes and goes beside it. */
export function describeEntryFields(start: () => Promise<Operated>) {
  it('an entry keeps what its operator gave it while all its sources come and go', async () => {
    const { fields, prepare, real } = await start();
    const rig = await ordersRig({
      consulVersion: '1.17.0',
      ...(real === undefined ? {} : { file: { consul: real.consul } }),
    });
    const request = real?.request ?? rig.mesh.request;
    await prepare(request);
    const worker = await startWorker(rig);
    try {
      await worker.idle();
      const sourceInConsul = async () => {
        const { Sources, ...rest } = (await request('GET', ENTRY)) as RawEntry;
        expect(rest).toMatchObject(fields);
        return Object.fromEntries(Sources.map((source) => [source.Name, source.Action || 'permissions']));
      };
      const grant = async (scopes: { readonly web: boolean; readonly other: boolean }) => {
        rig.idp.put('web-app', ...(scopes.web ? ['orders:read'] : []));
        rig.idp.put('other-app', ...(scopes.other ? ['orders:read'] : []));
        await worker.add(providerKey('main'), 'full-read', { fullRead: true });
        await worker.idle();
        return sourceInConsul();
      };
      const written = (await request('GET', ENTRY)) as Record<string, unknown>;
      const { CreateIndex, ModifyIndex, Hash, ...content } = written;
      await request('PUT', '/v1/config', { ...content, ...fields });

      expect(await grant({ web: false, other: true })).toEqual({ web: 'deny', other: 'permissions' });
      expect(await grant({ web: false, other: false })).toEqual({ web: 'deny' });
      expect(await grant({ web: true, other: false })).toEqual({ web: 'permissions' });
      expect(await grant({ web: false, other: false })).toEqual({ web: 'deny' });
      expect(await grant({ web: false, other: true })).toEqual({ web: 'deny', other: 'permissions' });

      const before = await request('GET', ENTRY);
      await grant({ web: false, other: true });
      expect(await request('GET', ENTRY)).toEqual(before);
      const reported = (await worker.settled()).filter(({ action }) => action !== 'none');
      expect(new Set(reported.map(({ outcome, reason }) => `${outcome} ${reason}`))).toEqual(
        new Set(['applied ScopeGranted', 'applied ScopeRevoked']),
      );
    } finally {
      await worker.stop();
      await rig.close();
      await real?.stop();
    }
  });
}
