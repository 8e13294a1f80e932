import { afterAll, beforeAll, describe, it } from 'vitest';
import { type ConsulHandle, startConsul } from '../../stack/consul.js';
import { neverMention, startTeams } from './teams.js';

let consul: ConsulHandle;
beforeAll(async () => {
  consul = await startConsul();
});
afterAll(() => consul?.stop());

describe('two instances on a real Consul', () => {
  it('with selections without overlap never mention each other', async () => {
    const team = await startTeams(
      { consul: { address: consul.httpAddress, managementToken: consul.managementToken } },
      async (Name, { client, tags: Tags = [] } = {}) => {
        const Meta = client === undefined ? {} : { 'oauth-client-id': client };
        await consul.request('PUT', '/v1/agent/service/register', { Name, Port: 1, Meta, Tags });
      },
    );
    const [red, blue] = [team('red', ['red-*'], ['red-*']), team('blue', ['blue-*'], ['blue-*'])];
    try {
      await neverMention(red, blue, async (destination) => {
        const path = `/v1/config/service-intentions/${destination}`;
        const entry = (await consul.request('GET', path)) as { Sources: { Name: string; Action: string }[] };
        return Object.fromEntries(entry.Sources.map(({ Name, Action }) => [Name, Action]));
      });
    } finally {
      for (const cli of [red, blue]) cli.close();
    }
  });
});
