import { Pool } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ConsulHandle, startConsul } from '../stack/consul.js';
import { freePort } from '../stack/ports.js';
import { until } from '../stack/process.js';
import { type Idp, startIdp } from '../support/idp.js';
import { type KeySetServer, startKeySetServer } from '../support/key-set-server.js';
import { isSoak } from '../support/soak.js';
import { type Scopemesh, startScopemesh } from './scopemesh.js';

const CLIENTS = isSoak ? 500 : 200;
const TOKENS_EACH = 40;
/** Logins in flight. */
const WIDTH = 32;
const WITHIN_MS = 5_000;

const clientId = (at: number) => `client-${at}`;
const methodOf = (at: number) => `scopemesh-payments-main-client-${at}`;

interface Token {
  readonly AccessorID: string;
  readonly AuthMethod?: string;
  readonly Roles?: readonly { readonly Name: string }[];
}

let consul: ConsulHandle;
let keys: KeySetServer;
let idp: Idp;
let daemon: Scopemesh;

beforeAll(async () => {
  consul = await startConsul();
  keys = await startKeySetServer();
  idp = await startIdp({ single: true, now: () => Date.now() });
  for (let at = 0; at < CLIENTS; at++) idp.put(clientId(at), 'config:read');
  const listen = `127.0.0.1:${await freePort()}`;
  daemon = await startScopemesh({
    listen,
    configuration: ({ directory }) =>
      JSON.stringify({
        owner: 'payments',
        mode: 'enforce',
        consul: { address: consul.httpAddress, token: consul.managementToken },
        providers: [
          {
            name: 'main',
            kind: 'oidc',
            issuer: keys.address,
            audience: 'consul',
            directory: idp.url,
            directoryToken: idp.directoryToken,
            webhook: { secrets: [idp.webhookSecret] },
            poll: '1h',
            fullRead: '1h',
          },
        ],
        scopes: { 'config:read': { acl: 'key_prefix "config/" { policy = "read" }' } },
        http: { listen },
        state: { directory },
        resync: '1h',
      }),
  });
  await daemon.ready();
  await until('every client may log in', async () => {
    const rules = await consul.request('GET', '/v1/acl/binding-rules');
    return Array.isArray(rules) && rules.length === CLIENTS;
  });
  await daemon.idle();
  const began = performance.now();
  await logInAll();
  console.log(
    `${CLIENTS * TOKENS_EACH} logins in ${((performance.now() - began) / 1000).toFixed(1)} s, ${WIDTH} in flight`,
  );
});

afterAll(async () => {
  await daemon?.dispose();
  await idp?.close();
  await keys?.close();
  await consul?.stop();
});

/** One JWT for each client, for signing twenty thousand takes longer than all the rest. */
async function logInAll(): Promise<void> {
  const pool = new Pool(consul.httpAddress, { connections: WIDTH });
  const bodies = await Promise.all(
    Array.from({ length: CLIENTS }, async (_, at) => {
      const claims = { client_id: clientId(at), sub: clientId(at) };
      return JSON.stringify({ AuthMethod: methodOf(at), BearerToken: await keys.sign(claims) });
    }),
  );
  const waiting = bodies.flatMap((body) => Array.from({ length: TOKENS_EACH }, () => body));
  const worker = async () => {
    for (let body = waiting.pop(); body !== undefined; body = waiting.pop()) {
      const answer = await pool.request({ method: 'POST', path: '/v1/acl/login', body });
      if (answer.statusCode !== 200) throw new Error(`a login was answered ${answer.statusCode}`);
      await answer.body.dump();
    }
  };
  try {
    await Promise.all(Array.from({ length: WIDTH }, worker));
  } finally {
    await pool.close();
  }
}

async function ourTokens(): Promise<readonly Token[]> {
  const all = (await consul.request('GET', '/v1/acl/tokens')) as readonly Token[];
  return all.filter(({ AuthMethod }) => AuthMethod?.startsWith('scopemesh-payments-'));
}

const idsOf = (tokens: readonly Token[]) => tokens.map(({ AccessorID }) => AccessorID).toSorted();
const tokensOf = async (at: number) =>
  ((await consul.request('GET', `/v1/acl/tokens?authmethod=${methodOf(at)}`)) ?? []) as readonly Token[];

/** Disables the client and resolves with the milliseconds from its event until none of its tokens is left. */
async function disable(at: number): Promise<number> {
  idp.change(clientId(at), { enabled: false });
  const { headers, body } = idp.sign({ type: 'client.disabled', data: { clientId: clientId(at) } });
  const began = performance.now();
  const answer = await fetch(`${daemon.address}/events/main`, { method: 'POST', headers, body });
  expect(answer.status).toBe(202);
  await until('its tokens are gone', async () => (await tokensOf(at)).length === 0, {
    timeoutMs: WITHIN_MS * 2,
    intervalMs: 5,
  });
  return performance.now() - began;
}

describe(`among ${CLIENTS * TOKENS_EACH} live tokens of ${CLIENTS} clients`, () => {
  it('a disabled client’s are gone within five seconds, and no other is touched', async () => {
    const before = await ourTokens();
    expect(before).toHaveLength(CLIENTS * TOKENS_EACH);
    const elapsedMs = await disable(7);
    const after = await ourTokens();
    expect(idsOf(after)).toEqual(idsOf(before.filter(({ AuthMethod }) => AuthMethod !== methodOf(7))));
    expect(after).toHaveLength((CLIENTS - 1) * TOKENS_EACH);
    expect(after.every(({ Roles = [] }) => Roles.length === 1)).toBe(true);
    expect(elapsedMs).toBeLessThan(WITHIN_MS);
    console.log(`the ${TOKENS_EACH} tokens of a disabled client were gone after ${elapsedMs.toFixed(0)} ms`);
    await daemon.idle();
  });

  it('orphans are removed at a bounded rate, and a revocation does not wait for them', async () => {
    const orphaned = [100, 101, 102, 103, 104, 105, 106, 107, 108, 109];
    const before = await ourTokens();
    await daemon.stop();
    // Their roles go, and Consul leaves the tokens behind with nothing.
    for (const at of orphaned) {
      const role = (await consul.request('GET', `/v1/acl/role/name/${methodOf(at)}`)) as { ID: string };
      await consul.request('DELETE', `/v1/acl/role/${role.ID}`);
    }
    await daemon.start();
    await daemon.ready();
    const began = performance.now();
    const elapsedMs = await disable(8);
    expect(elapsedMs).toBeLessThan(WITHIN_MS);
    const methods = new Set(orphaned.map(methodOf));
    const areGone = async () => {
      const left = await Promise.all(orphaned.map(tokensOf));
      return left.every((tokens) => tokens.length === 0);
    };
    await until('the orphans are gone', areGone, { timeoutMs: 30_000, intervalMs: 100 });
    console.log(
      `${orphaned.length * TOKENS_EACH} orphans were gone after ${(performance.now() - began).toFixed(0)} ms, ` +
        `the tokens of a client disabled meanwhile after ${elapsedMs.toFixed(0)} ms`,
    );
    await daemon.idle();
    const kept = before.filter(
      ({ AuthMethod = '' }) => !methods.has(AuthMethod) && AuthMethod !== methodOf(8),
    );
    expect(idsOf(await ourTokens())).toEqual(idsOf(kept));
  });
});
