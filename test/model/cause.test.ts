import { expect, it } from 'vitest';
import { isSamePerson, localPerson, parsePrincipalText, principalText } from '../../src/model/cause.js';

it('the name that a local person reports names nobody else in a text, and hides nothing', () => {
  const ana = localPerson('ana) asked, token:bob approved: INC-1 (');
  expect(principalText(ana)).toBe('local (ana_ asked, token:bob approved: INC-1 _)');
  expect(parsePrincipalText(principalText(ana))).toEqual(ana);
  expect(localPerson('ana\u202e\u200b')).toEqual({ id: 'local', note: 'ana__' });
  expect(isSamePerson(ana, localPerson('carl'))).toBe(true);
  expect(isSamePerson(localPerson('Bob'), { id: 'token:bob' })).toBe(true);
});

it('one person who signed in is not two with a token, a command or another account', () => {
  const ana = { id: 'oidc:main/7f3', note: 'ana, ana.m@example.com, Ana Maria' };
  expect(parsePrincipalText(principalText(ana))).toEqual(ana);
  const same = [
    'token:ana',
    'token:ANA.M',
    'token:ana.m@example.com',
    'token:Ana Maria',
    'token:7f3',
    'oidc:main/7f3',
  ];
  for (const id of same) expect([id, isSamePerson(ana, { id })]).toEqual([id, true]);
  expect(isSamePerson({ id: 'oidc:other/9', note: 'ana' }, ana)).toBe(true);
  // Nothing proves the name that a command reports.
  expect(isSamePerson(localPerson('bob'), ana)).toBe(true);
  // Without a name in the ID token, the token may be anybody's.
  expect(isSamePerson({ id: 'oidc:main/7f3' }, { id: 'token:bob' })).toBe(true);
  expect(isSamePerson(ana, { id: 'token:bob' })).toBe(false);
  expect(isSamePerson(ana, { id: 'oidc:main/8', note: 'bob, bob@example.com' })).toBe(false);
});
