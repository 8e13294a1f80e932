import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseClient, toOAuthClient } from '../../../src/identity/keycloak/client.js';

const recorded = JSON.parse(
  readFileSync(new URL('../../fixtures/keycloak/client-get.json', import.meta.url), 'utf8'),
);

describe('a client as Keycloak gives it', () => {
  it('becomes an OAuth client without its secret', () => {
    const client = toOAuthClient(
      'main',
      parseClient(recorded, 'here'),
      [{ api: 'ledger', name: 'writer' }],
      300,
    );
    expect(client).toMatchObject({
      provider: 'main',
      clientId: 'svc-a',
      internalId: '5cc257c9-81f6-4900-9913-868a79dc25ab',
      enabled: true,
      grantTypes: ['client_credentials'],
      accessTokenLifetimeSeconds: 300,
    });
    expect(client.attributes).toMatchObject({
      'x-owner': 'team-1',
      'client.secret.creation.time': '1795560657',
    });
    expect(client.grants).toContainEqual({ name: 'orders:read' });
    expect(client.grants).toContainEqual({ name: 'orders:write' });
    expect(client.grants).toContainEqual({ api: 'ledger', name: 'writer' });
    expect(JSON.stringify(client)).not.toContain(recorded.secret);
  });

  it('is refused if a part is missing or has another shape', () => {
    for (const field of ['id', 'clientId', 'enabled', 'defaultClientScopes', 'optionalClientScopes']) {
      expect(() => parseClient({ ...recorded, [field]: undefined }, 'here'), field).toThrow(/^here: /);
      expect(() => parseClient({ ...recorded, [field]: [7] }, 'here'), field).toThrow(/^here: /);
    }
    for (const value of [null, [], 'x', 7, { ...recorded, attributes: [] }]) {
      expect(() => parseClient(value, 'here')).toThrow(/^here: /);
    }
  });
});
