import { describe, expect, it } from 'vitest';
import { aclFindings } from '../../../src/cli/doctor/acl-findings.js';
import type { Consul, ConsulFacts } from '../../../src/consul/consul.js';
import type { AclToken } from '../../../src/model/acl.js';
import type { Catalog } from '../../../src/model/catalog.js';
import { fileWith, loadText } from '../../config/load-text.js';

const never = new AbortController().signal;
const NOW = Date.UTC(2026, 0, 1, 12);
const FACTS: ConsulFacts = {
  version: '1.17.0',
  datacenter: 'dc1',
  defaultPolicy: 'deny',
  aclsEnabled: true,
  aclCache: { role: 0, policy: 30, token: 30 },
};

const place = { partition: 'default', namespace: 'default' };
const PROXIED: Catalog = {
  services: [
    {
      name: { ...place, name: 'web-sidecar-proxy' },
      instances: [
        {
          id: 'web-sidecar-proxy',
          node: 'machine-1',
          kind: 'connect-proxy',
          meta: {},
          tags: [],
          proxyOf: 'web',
        },
      ],
    },
  ],
  protocols: new Map(),
  defaultProtocol: 'tcp',
};

/** A token with the identity of web, of an hour, that ends in so many minutes. */
function token(accessorId: string, endsInMinutes: number, authMethod?: string): AclToken {
  const end = NOW + endsInMinutes * 60_000;
  return {
    accessorId,
    description: '',
    policies: [],
    isManagement: false,
    roles: [],
    serviceIdentities: ['web'],
    nodeIdentities: [],
    templatedPolicies: [],
    isLocal: true,
    createdAt: new Date(end - 3_600_000).toISOString(),
    expiresAt: new Date(end).toISOString(),
    ...(authMethod === undefined ? {} : { authMethod }),
  };
}

function withTokens(...tokens: readonly AclToken[]): Consul {
  const refuse = () => Promise.reject(new Error('not asked for here'));
  const none = async () => ({ policies: [], roles: [], authMethods: [], bindingRules: [] });
  const acl = {
    tokens: async () => tokens,
    read: none,
    readNamed: refuse,
    write: refuse,
    delete: refuse,
    deleteTokens: refuse,
  };
  const other: Partial<Consul> = { acl, readAclToken: async () => undefined };
  return other as Consul;
}

async function findings(id: string, consul: Consul, facts = FACTS) {
  const config = await loadText(fileWith('login: on'));
  const found = await aclFindings(config, consul, facts, PROXIED, NOW, never);
  return found.filter((finding) => finding.id === id);
}

describe('tokens of a sidecar', () => {
  it('are a notice if a login renews them in time, and a warning if not', async () => {
    const renewed = await findings('sidecars.tokens', withTokens(token('a', 10, 'm'), token('b', 45, 'm')));
    expect(renewed).toMatchObject([
      { severity: 'notice', message: expect.stringContaining('the last one in 45m') },
    ]);
    const late = await findings('sidecars.tokens', withTokens(token('a', 15, 'm')));
    expect(late).toMatchObject([{ severity: 'warning', message: expect.stringContaining('expires in 15m') }]);
  });

  it('are a warning if a person made them with an expiry', async () => {
    expect(await findings('sidecars.tokens', withTokens(token('a', 59)))).toMatchObject([
      { severity: 'warning' },
    ]);
  });
});

describe('the ACL cache of an agent', () => {
  it('is a warning with a remedy if access can outlive a revocation', async () => {
    const slow = { ...FACTS, aclCache: { role: 90, policy: 30, token: 30 } };
    expect(await findings('acl.cache', withTokens(), slow)).toMatchObject([
      {
        severity: 'warning',
        message: expect.stringContaining('outlive a revocation by 1m 30s'),
        remedy: expect.stringContaining('acl.role_ttl = "0s"'),
      },
    ]);
    expect(await findings('acl.cache', withTokens())).toMatchObject([{ severity: 'ok' }]);
  });
});
