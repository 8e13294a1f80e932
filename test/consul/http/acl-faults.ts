import { type Clock, systemClock } from '../../../src/clock.js';
import type { AclObjects } from '../../../src/consul/acl.js';
import { createAclObjects } from '../../../src/consul/http/http-consul.js';
import { createIndexGuard } from '../../../src/consul/http/index-guard.js';
import { createTransport } from '../../../src/consul/http/transport.js';
import { UnreadableEntries } from '../../../src/consul/http/unreadable-entries.js';
import { Secret } from '../../../src/model/secret.js';
import { noMetrics, silentLogger } from '../../../src/observe.js';
import { ACL_TOKEN, type Exchange, startFaultServer } from './fault-server.js';

/** A 404 of Consul's own. */
export const ABSENT = { 'X-Consul-Index': undefined, 'X-Consul-Default-Acl-Policy': 'deny' } as const;

export const rawPolicy = {
  ID: 'policy-1',
  Name: 'ours',
  Description: 'scopemesh:payments',
  Datacenters: null,
  Hash: 'x',
  CreateIndex: 3,
  ModifyIndex: 3,
};
export const rawRole = {
  ID: 'role-1',
  Name: 'ours',
  Description: 'scopemesh:payments',
  Policies: [{ ID: 'policy-1', Name: 'ours' }],
  ServiceIdentities: [{ ServiceName: 'web' }],
  Hash: 'x',
  CreateIndex: 4,
  ModifyIndex: 4,
};
export const rawMethod = {
  Name: 'ours',
  Type: 'jwt',
  Description: 'scopemesh:payments',
  MaxTokenTTL: '5m0s',
  CreateIndex: 5,
  ModifyIndex: 5,
};
export const rawConfig = {
  JWKSURL: 'http://idp/jwks',
  BoundIssuer: 'http://idp',
  BoundAudiences: ['consul'],
  ClaimMappings: { azp: 'client_id' },
};
export const rawRule = {
  ID: 'rule-1',
  Description: 'scopemesh:payments',
  AuthMethod: 'ours',
  BindType: 'role',
  BindName: 'ours',
  Selector: '"client_id" in value',
  CreateIndex: 6,
  ModifyIndex: 6,
};

/** What a Consul with one object of each kind answers to a GET, by path. */
export const ONE_OF_EACH: Readonly<Record<string, unknown>> = {
  '/v1/acl/policies': [rawPolicy],
  '/v1/acl/policy/policy-1': { ...rawPolicy, Rules: '{}' },
  '/v1/acl/roles': [rawRole],
  '/v1/acl/auth-methods': [rawMethod],
  '/v1/acl/auth-method/ours': { ...rawMethod, Config: rawConfig },
  '/v1/acl/binding-rules': [rawRule],
  '/v1/acl/tokens': [],
};

export interface AclUnderFault {
  readonly acl: AclObjects;
  readonly seen: readonly string[];
  close(): Promise<void>;
}

/** The adapter against a Consul that answers what `special` answers, and else as one with an object of each kind. */
export async function faultyAcl(
  special: (exchange: Exchange) => boolean,
  options: { clock?: Clock; keyFetchTimeoutMs?: number; requestTimeoutMs?: number } = {},
): Promise<AclUnderFault> {
  const server = await startFaultServer((exchange) => {
    if (special(exchange)) return;
    const body = ONE_OF_EACH[exchange.url.pathname];
    if (body === undefined || exchange.method !== 'GET') exchange.reply(404, '', ABSENT);
    else exchange.reply(200, body);
  });
  const clock = options.clock ?? systemClock;
  const transport = createTransport({
    logger: silentLogger,
    address: server.address,
    token: new Secret(ACL_TOKEN),
    metrics: noMetrics,
    clock,
    requestTimeoutMs: options.requestTimeoutMs ?? 5_000,
    maxBytes: 1_000_000,
  });
  return {
    acl: createAclObjects({
      transport,
      guard: createIndexGuard(clock, silentLogger),
      unreadable: new UnreadableEntries({ logger: silentLogger, metrics: noMetrics }),
      clock,
      keyFetchTimeoutMs: options.keyFetchTimeoutMs,
    }),
    seen: server.seen,
    async close() {
      await transport.close();
      await server.close();
    },
  };
}
