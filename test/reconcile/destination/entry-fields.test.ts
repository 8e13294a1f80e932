import { describeEntryFields } from './entry-fields.js';

const OPS = {
  Kind: 'jwt-provider',
  Name: 'ops',
  Issuer: 'https://x',
  JSONWebKeySet: { Remote: { URI: 'https://x/jwks' } },
};

describeEntryFields(async () => ({
  fields: { JWT: { Providers: [{ Name: 'ops' }] }, Meta: { team: 'security' } },
  prepare: async (request) => void (await request('PUT', '/v1/config', OPS)),
}));
