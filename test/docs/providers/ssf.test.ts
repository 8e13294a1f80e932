import { describe, expect, it } from 'vitest';
import { EVENTS_REQUESTED, meaningOf } from '../../../src/identity/ssf/meaning.js';
import { rows, section } from '../manual.js';

/** An event that says nothing more than its type: the graver case. */
const graver = (type: string) => meaningOf(type, {});

describe('the tables of what events do', () => {
  const [caep, risc] = ['caep', 'risc'].map(
    (family) => `https://schemas.openid.net/secevent/${family}/event-type/`,
  );
  const documented = rows(section('docs/providers/ssf.md', 'What each event does')).map(
    ([event = '', person = '', client = '']) => ({
      event: /`([^`]+)`/.exec(event)?.[1] ?? '',
      person,
      client,
    }),
  );
  const typeOf = (event: string) =>
    EVENTS_REQUESTED.find((type) => type === `${caep}${event}` || type === `${risc}${event}`) ?? '';

  it('have each event that means something, and no other', () => {
    expect(documented.map(({ event }) => typeOf(event)).sort()).toEqual(EVENTS_REQUESTED);
  });

  it.each(documented)('say of $event what it does', ({ event, person, client }) => {
    const meaning = graver(typeOf(event));
    expect(/^ends sessions/.test(person)).toBe(meaning?.endsSessions === true);
    expect(/reads/.test(person)).toBe(meaning?.isRead === true);
    const ofClient = client === 'the same' ? 'ends sessions' : client;
    switch (meaning?.client) {
      case undefined:
        return expect(ofClient).toMatch(/^ends sessions$/);
      case 'read':
        return expect(ofClient).toMatch(/^reads(:|$)/);
      case 'secret-compromised':
        return expect(ofClient).toMatch(/^closed until its secret is rotated/);
      default:
        return expect(ofClient).toBe('reads; closed if it cannot be read');
    }
  });
});
