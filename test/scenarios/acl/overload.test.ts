import { afterEach, expect, it } from 'vitest';
import { clientKey, formatKey } from '../../../src/model/key.js';
import { type AclRig, createAclRig } from '../../support/acl-rig.js';
import { startWorker, type Worker, withAcl } from '../../support/reconcile-rig.js';
import { until } from '../../support/until.js';

const CLIENTS = 40;
/** The least of the write limit. */
const LEAST = 8;

let rig: AclRig | undefined;
let worker: Worker | undefined;
afterEach(async () => {
  await worker?.stop();
  await rig?.close();
});

const client = (clientId: string, scopes: readonly string[]) => ({ clientId, name: clientId, scopes });

it.each([429, 503])(
  'fewer ACL objects are written at once after Consul answered %i, and a revocation passes those that wait',
  async (status) => {
    rig = await createAclRig({ clients: [client('loser', ['config:read', 'orders:keys'])] });
    const { idp, proxy } = rig;
    rig.writeFile();
    /** Writes of roles that are not sent yet. */
    const held: { readonly isNew: boolean; readonly release: () => void }[] = [];
    let isHolding = false;
    worker = await startWorker(rig, (consul) =>
      withAcl(consul, (acl) => ({
        async write(id, object, signal, known) {
          if (isHolding && object.kind === 'acl-role')
            await new Promise<void>((release) => held.push({ isNew: id === undefined, release }));
          return acl.write(id, object, signal, known);
        },
      })),
    );
    await worker.idle();

    isHolding = true;
    const names = Array.from({ length: CLIENTS }, (_, at) => `app-${at}`);
    for (const name of names) idp.clients.set(name, client(name, ['config:read']));
    for (const name of names) await worker.add(clientKey('main', name), 'webhook');
    await until('all of them written at once', () => held.length === CLIENTS);

    const { journal } = worker.deps;
    const readPending = async () => {
      const keys = names.map((name) => formatKey(clientKey('main', name)));
      const records = await Promise.all(keys.map((key) => journal.read(key)));
      return records.map(({ pending }) => pending[0]?.id);
    };
    const first = new Set(await readPending());
    proxy.interfere = ({ method, target }) =>
      method === 'PUT' && target.startsWith('/v1/acl/role') ? { status, body: 'rate limit' } : undefined;
    for (const { release } of held.splice(0)) release();
    await until('all of them recorded again', async () => {
      rig?.clock.advance(100);
      return (await readPending()).every((id) => id !== undefined && !first.has(id));
    });
    proxy.interfere = () => undefined;
    idp.clients.set('loser', client('loser', ['orders:keys']));
    await worker.add(clientKey('main', 'loser'), 'webhook', { urgent: true });
    await until('the revocation', () => held.some(({ isNew }) => !isNew), 15_000);
    expect(held.filter(({ isNew }) => isNew)).toHaveLength(LEAST);

    isHolding = false;
    for (const { release } of held) release();
    await worker.idle();
    expect((await rig.objects('roles')).length).toBeGreaterThanOrEqual(CLIENTS + 1);
  },
  60_000,
);
