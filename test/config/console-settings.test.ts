import { expect, it } from 'vitest';
import { CONSOLE, toConsole } from '../../config/console-settings.js';

const LOGIN = { provider: 'main', clientId: 'console', clientSecret: 'a-secret' };

it.each([
  ['a plain http address of another machine', { url: 'http://console.example.com' }, 'use https'],
  ['an address with a path', { url: 'https://example.com/console' }, 'has a path'],
  ['a login without an address', { login: [LOGIN] }, 'is missing'],
  ['two logins of one provider', { url: 'https://c.test', login: [LOGIN, LOGIN] }, 'has a login already'],
  [
    'scopes without openid',
    { url: 'https://c.test', login: [{ ...LOGIN, scopes: ['profile'] }] },
    'lack openid',
  ],
])('refuses %s', (_name, settings, message) => {
  expect(
    CONSOLE.safeParse(settings)
      .error?.issues.map((issue) => issue.message)
      .join(),
  ).toContain(message);
});

it('gives nobody a role unless it is written', () => {
  const { origin, roles } = toConsole(CONSOLE.parse({ url: 'http://localhost:8080/', login: [LOGIN] }));
  expect(origin).toBe('http://localhost:8080');
  expect(roles).toEqual({ claim: 'groups', viewer: [], approver: [], operator: [] });
});
