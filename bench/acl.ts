import { systemClock } from '../src/clock.js';
import { createAclObjects } from '../src/consul/http/acl-objects.js';
import { createIndexGuard } from '../src/consul/http/index-guard.js';
import { createTransport } from '../src/consul/http/transport.js';
import { Secret } from '../src/model/secret.js';
import { noMetrics, silentLogger } from '../src/observe.js';
import { startConsul } from '../test/stack/consul.js';
import { startKeySetServer } from '../test/support/key-set-server.js';

// Auth methods with their rules, and many tokens, on a real Consul.
// npx tsx bench/acl.ts [METHODS] [TOKENS]

const METHODS = Number(process.argv[2] ?? 1_000);
const TOKENS = Number(process.argv[3] ?? 20_000);
/** Of the client that is disabled. */
const DISABLED = 40;
const MARK = 'scopemesh:bench';
const signal = new AbortController().signal;

const consul = await startConsul();
const idp = await startKeySetServer();
const transport = createTransport({
  address: consul.httpAddress,
  token: new Secret(consul.managementToken),
  metrics: noMetrics,
  clock: systemClock,
  requestTimeoutMs: 60_000,
  maxBytes: 64 * 1024 * 1024,
});
const guard = createIndexGuard(systemClock, silentLogger);
const acl = createAclObjects({ transport, tenancy: {}, guard, clock: systemClock });

const nameOf = (index: number) => `scopemesh-bench-main-client_${index}`;

async function timed<T>(what: string, run: () => Promise<T>): Promise<T> {
  const begun = performance.now();
  const result = await run();
  console.log(`${what}: ${(performance.now() - begun).toFixed(0)} ms`);
  return result;
}

/** Eight at a time, as the daemon's jobs run. */
async function each(count: number, run: (index: number) => Promise<unknown>): Promise<void> {
  const indexes = Array.from({ length: count }, (_, index) => index).values();
  const work = async () => {
    for (const index of indexes) await run(index);
  };
  await Promise.all(Array.from({ length: 8 }, work));
}

async function createClient(index: number): Promise<void> {
  const name = nameOf(index);
  await acl.write(
    undefined,
    {
      kind: 'acl-role',
      object: { name, description: MARK, policies: ['scopemesh-bench-rules'], serviceIdentities: [] },
    },
    signal,
  );
  const config = {
    jwksUrl: idp.jwksUrl,
    boundIssuer: idp.address,
    boundAudiences: ['consul'],
    signingAlgorithms: ['RS256'],
    claimMappings: { azp: 'client_id' },
    listClaimMappings: {},
  };
  await acl.write(
    undefined,
    { kind: 'acl-auth-method', object: { name, description: MARK, maxTokenTtlSeconds: 3_600, config } },
    signal,
  );
  const selector = `"client_id" in value and value.client_id == "${name}"`;
  await acl.write(
    undefined,
    {
      kind: 'acl-binding-rule',
      object: { description: MARK, authMethod: name, bindType: 'role', bindName: name, selector },
    },
    signal,
  );
}

async function logIn(index: number): Promise<void> {
  const name = nameOf(index);
  const BearerToken = await bearerOf(name);
  const answer = await fetch(`${consul.httpAddress}/v1/acl/login`, {
    method: 'POST',
    body: JSON.stringify({ AuthMethod: name, BearerToken }),
  });
  if (!answer.ok) throw new Error(`login: ${answer.status} ${await answer.text()}`);
  await answer.arrayBuffer();
}

/** Signed once for each client: it is Consul that is measured. */
const bearers = new Map<string, Promise<string>>();
function bearerOf(name: string): Promise<string> {
  const bearer = bearers.get(name) ?? idp.sign({ azp: name });
  bearers.set(name, bearer);
  return bearer;
}

try {
  const rules = JSON.stringify({ key_prefix: { a: { policy: 'read' } } });
  await acl.write(
    undefined,
    { kind: 'acl-policy', object: { name: 'scopemesh-bench-rules', description: MARK, rules } },
    signal,
  );
  await timed(`create ${METHODS} roles, auth methods and binding rules`, () => each(METHODS, createClient));
  const read = () => acl.read((name) => name.startsWith('scopemesh-bench-'), signal);
  await timed('read all of them, with every Config', read);
  await timed('the same again', read);
  await timed('delete one auth method', () => acl.delete('acl-auth-method', nameOf(METHODS - 1), signal));
  await timed('delete one binding rule', async () => {
    const answer = await consul.request('GET', `/v1/acl/binding-rules?authmethod=${nameOf(METHODS - 2)}`);
    const [rule] = Array.isArray(answer) ? answer : [];
    return acl.delete('acl-binding-rule', String(rule?.ID), signal);
  });
  const clients = METHODS - 2;
  await timed(`log in ${TOKENS} times`, async () => {
    await each(DISABLED, () => logIn(0));
    await each(TOKENS - DISABLED, (index) => logIn(1 + (index % (clients - 1))));
  });
  let longest = 0;
  let last = performance.now();
  const heartbeat = setInterval(() => {
    longest = Math.max(longest, performance.now() - last);
    last = performance.now();
  }, 1);
  const all = await timed(`list all ${TOKENS} tokens`, () => acl.tokens('all', signal));
  // The beat that was late comes first.
  await systemClock.sleep(5);
  clearInterval(heartbeat);
  console.log(`the event loop stood still for ${longest.toFixed(0)} ms at most; ${all.length} tokens`);
  await timed('list the tokens of one method', () => acl.tokens({ authMethod: nameOf(0) }, signal));
  const ended = await timed(`find and delete ${DISABLED} tokens of one role among ${TOKENS}`, async () => {
    const tokens = await acl.tokens({ role: nameOf(0) }, signal);
    return acl.deleteTokens(
      tokens.map((token) => token.accessorId),
      signal,
    );
  });
  const left = await acl.tokens('all', signal);
  console.log(`${ended} ended, ${left.length} left`);
  await timed('delete the auth method of one client with its tokens', () =>
    acl.delete('acl-auth-method', nameOf(1), signal),
  );
} finally {
  await transport.close();
  await idp.close();
  await consul.stop();
}
