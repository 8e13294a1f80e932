import { describe, expect, it } from 'vitest';
import { against, failureOf } from './fault-server.js';

const never = new AbortController().signal;

describe('inspect', () => {
  it('tells a default intention policy that overrides the ACL policy', async () => {
    const { consul } = await against((exchange) =>
      exchange.reply(200, {
        Config: { Version: '1.18.0', Datacenter: 'dc1' },
        DebugConfig: {
          ACLsEnabled: true,
          ACLResolverSettings: { ACLDefaultPolicy: 'deny' },
          DefaultIntentionPolicy: 'allow',
        },
      }),
    );
    expect(await consul.inspect(never)).toEqual({
      version: '1.18.0',
      datacenter: 'dc1',
      defaultPolicy: 'allow',
      aclsEnabled: true,
      serverTime: expect.anything(),
    });
  });

  it('says unknown where the token may not read the agent', async () => {
    const { consul } = await against((exchange) => {
      if (exchange.url.pathname === '/v1/agent/self') exchange.reply(403, "lacks permission 'agent:read'");
      else exchange.reply(200, ['dc7']);
    });
    expect(await consul.inspect(never)).toEqual({
      version: 'unknown',
      datacenter: 'dc7',
      defaultPolicy: 'unknown',
      aclsEnabled: true,
      serverTime: expect.anything(),
    });
  });

  it('throws for a token that Consul does not know', async () => {
    const { consul } = await against((exchange) => exchange.reply(403, 'ACL not found'));
    expect((await failureOf(consul.inspect(never))).code).toBe('ERR_CONSUL_DENIED');
  });
});
