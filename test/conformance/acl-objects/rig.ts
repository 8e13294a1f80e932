import { systemClock } from '../../../src/clock.js';
import type { AclObjects } from '../../../src/consul/acl.js';
import { createAclObjects } from '../../../src/consul/http/http-consul.js';
import { createIndexGuard } from '../../../src/consul/http/index-guard.js';
import { createTransport, type Transport } from '../../../src/consul/http/transport.js';
import { UnreadableEntries } from '../../../src/consul/http/unreadable-entries.js';
import type {
  AclAuthMethod,
  AclBindingRule,
  AclObject,
  AclPolicy,
  AclRole,
  AclSnapshot,
} from '../../../src/model/acl.js';
import { Secret } from '../../../src/model/secret.js';
import { noMetrics, silentLogger } from '../../../src/observe.js';
import { type KeySetServer, startKeySetServer } from '../../support/key-set-server.js';
import { send } from '../../support/send.js';
import type { ConsulUnderTest } from '../consul-port/rig.js';

export const never = new AbortController().signal;
export const MARK = 'scopemesh:payments';
/** Names are made for one test each, so that tests do not meet. */
const PREFIX = 'scopemesh-payments-';

/** A running Consul, an identity provider, and what a person with curl could do beside the adapter. */
export interface AclRig {
  readonly server: ConsulUnderTest;
  readonly idp: KeySetServer;
  readonly acl: AclObjects;
  connect(token: string, keyFetchTimeoutMs?: number): AclObjects;
  request(method: string, path: string, body?: unknown, token?: string): Promise<unknown>;
  /** The status alone. */
  status(method: string, path: string, token: string): Promise<number>;
  fresh(): string;
  read(): Promise<AclSnapshot>;
  /** A static token with these rules; its secret. */
  tokenWith(rules: string): Promise<string>;
  login(
    authMethod: string,
    claims?: Record<string, unknown>,
  ): Promise<{ accessorId: string; secret: string }>;
  /** A policy, a role, a method and a rule for the client `<name>`, which opens one key. */
  client(name: string): Promise<{ readonly roleId: string; readonly ruleId: string }>;
  method(name: string, change?: Partial<AclAuthMethod>): AclAuthMethod;
  stop(): Promise<void>;
}

export async function startAclRig(start: () => Promise<ConsulUnderTest>): Promise<AclRig> {
  const server = await start();
  const idp = await startKeySetServer();
  const transports: Transport[] = [];
  let unique = 0;
  const connect = (token: string, keyFetchTimeoutMs?: number): AclObjects => {
    const transport = createTransport({
      logger: silentLogger,
      address: server.address,
      token: new Secret(token),
      metrics: noMetrics,
      clock: systemClock,
      requestTimeoutMs: 10_000,
      maxBytes: 64 * 1024 * 1024,
    });
    transports.push(transport);
    const guard = createIndexGuard(systemClock, silentLogger);
    const unreadable = new UnreadableEntries({ logger: silentLogger, metrics: noMetrics });
    const options = { transport, guard, unreadable, clock: systemClock };
    return createAclObjects({ ...options, keyFetchTimeoutMs });
  };
  const ask = (method: string, path: string, body?: unknown, token = server.managementToken) =>
    send(server.address + path, {
      method,
      headers: { 'X-Consul-Token': token },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  const request: AclRig['request'] = async (method, path, body, token) => {
    const { ok, status, text } = await ask(method, path, body, token);
    if (!ok) throw new Error(`${method} ${path}: ${status} ${text}`);
    return text === '' ? undefined : JSON.parse(text);
  };
  const acl = connect(server.managementToken);
  const method: AclRig['method'] = (name, change = {}) => ({
    name,
    description: MARK,
    maxTokenTtlSeconds: 300,
    config: {
      jwksUrl: idp.jwksUrl,
      boundIssuer: idp.address,
      boundAudiences: ['consul'],
      signingAlgorithms: ['RS256'],
      claimMappings: { azp: 'client_id' },
      listClaimMappings: {},
    },
    ...change,
  });
  return {
    server,
    idp,
    acl,
    connect,
    request,
    method,
    status: async (verb, path, token) => (await ask(verb, path, undefined, token)).status,
    fresh: () => `${PREFIX}${++unique}`,
    read: () => acl.read((name) => name.startsWith(PREFIX), never),
    async tokenWith(rules) {
      const name = `weak-${++unique}`;
      await request('PUT', '/v1/acl/policy', { Name: name, Rules: rules });
      return textOf(await request('PUT', '/v1/acl/token', { Policies: [{ Name: name }] }), 'SecretID');
    },
    async login(authMethod, claims = {}) {
      const BearerToken = await idp.sign({ azp: authMethod, ...claims });
      const token = await request('POST', '/v1/acl/login', { AuthMethod: authMethod, BearerToken });
      return { accessorId: textOf(token, 'AccessorID'), secret: textOf(token, 'SecretID') };
    },
    async client(name) {
      await acl.write(undefined, policy(name), never);
      const role = await acl.write(undefined, roleOf(name, [name]), never);
      await acl.write(undefined, { kind: 'acl-auth-method', object: method(name) }, never);
      const rule = await acl.write(undefined, ruleOf(name), never);
      return { roleId: role.id, ruleId: rule.id };
    },
    async stop() {
      for (const transport of transports) await transport.close();
      await idp.close();
      await server.stop();
    },
  };
}

export function policy(name: string, change: Partial<AclPolicy> = {}): AclObject {
  const rules = JSON.stringify({ key: { [name]: { policy: 'read' } } });
  return { kind: 'acl-policy', object: { name, description: MARK, rules, ...change } };
}

export function roleOf(name: string, policies: readonly string[], change: Partial<AclRole> = {}): AclObject {
  return {
    kind: 'acl-role',
    object: { name, description: MARK, policies, serviceIdentities: ['web'], ...change },
  };
}

export function methodOf(object: AclAuthMethod): AclObject {
  return { kind: 'acl-auth-method', object };
}

/** Admits the client of the method's own name. */
export function ruleOf(name: string, change: Partial<AclBindingRule> = {}): AclObject {
  const selector = `"client_id" in value and value.client_id == "${name}"`;
  return {
    kind: 'acl-binding-rule',
    object: { description: MARK, authMethod: name, bindType: 'role', bindName: name, selector, ...change },
  };
}

export function textOf(value: unknown, field: string): string {
  const record: Record<string, unknown> = typeof value === 'object' && value !== null ? { ...value } : {};
  const text = record[field];
  if (typeof text !== 'string') throw new Error(`no text in ${field}`);
  return text;
}
