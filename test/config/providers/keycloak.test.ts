import { describe, expect, it } from 'vitest';
import { toAclSettings } from '../../../config/acl-settings.js';
import { fileWith, loadText } from '../load-text.js';

const GROUP = `groups: { "organization/acme": { acl: 'key "a" { policy = "read" }' } }`;

describe('The provider kind keycloak', () => {
  it('names an organization in tokens by its alias alone, in a claim of its own', async () => {
    const config = await loadText(fileWith(GROUP));
    expect(toAclSettings(config).groups).toMatchObject([
      { group: 'organization/acme', inToken: { claim: ['organization'], name: 'acme' } },
    ]);
  });

  it('is the only one that does', async () => {
    const auth0 =
      'providers: [{ name: main, kind: auth0, issuer: "https://x.eu.auth0.com/", clientId: x, clientSecret: y, apis: [z], audience: consul }]';
    const config = await loadText(fileWith(`${GROUP}\n${auth0}`, 'providers'));
    expect(toAclSettings(config).groups[0]).not.toHaveProperty('inToken');
  });

  it('takes the roles of all clients, or of those that the file names', async () => {
    const provider = (more: string) =>
      `providers: [{ name: main, kind: keycloak, issuer: "https://x/realms/y", clientId: x, clientSecret: y, serviceAccountRoles: on${more} }]`;
    const all = await loadText(fileWith(provider(''), 'providers'));
    expect(all.providers[0]).not.toHaveProperty('apis');
    const some = await loadText(fileWith(provider(', apis: [orders-api]'), 'providers'));
    expect(some.providers[0]?.apis).toEqual(['orders-api']);
  });

  it('says what to do about an empty audience, as a variable that is not set gives', async () => {
    const provider =
      'providers: [{ name: main, kind: keycloak, issuer: "https://x/realms/y", clientId: x, clientSecret: y, audience: "" }]';
    await expect(loadText(fileWith(provider, 'providers'))).rejects.toThrow(
      'providers[0].audience: must not be empty; write a value, or leave the key out if it has none',
    );
  });
});
