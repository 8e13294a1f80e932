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
