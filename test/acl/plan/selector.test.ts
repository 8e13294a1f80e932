import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { client, desire, hostileText, loginProvider, mapping, OWN } from './acl-scene.js';
import { admits } from './selector-model.js';

const web = client('web', ['config:read']);
const ANY = '"client_id" in value and value.client_id == "web"';

describe('a token must show', () => {
  const people = { ...web, grantTypes: ['authorization_code'] };

  test('that the client requested it for itself, if it acts as a service or is not a client of people', () => {
    expect(desire(web).desired.bindingRules[0]?.selector).toBe(OWN);
    expect(desire(people, { services: ['web'] }).desired.bindingRules[0]?.selector).toBe(OWN);
  });

  test('only the client where people sign in there and it acts as no service', () => {
    expect(desire(people).desired.bindingRules[0]?.selector).toBe(ANY);
  });

  test('that the client acts for a person, if it must act for a human', () => {
    const { desired, holds } = desire(web, {
      services: ['web'],
      mapping: { limits: { ...mapping().limits, workload: { never: [], onBehalfOf: 'human' } } },
      settings: {
        providers: new Map([['main', loginProvider({ person: { claim: ['sub_profile'], equals: 'user' } })]]),
      },
    });
    expect(desired.roles[0]?.serviceIdentities).toEqual([]);
    expect(holds.map((hold) => hold.reason)).toEqual(['UserTokenUnenforceable']);
    expect(desired.authMethods[0]?.config.claimMappings).toEqual({
      '/act/sub': 'actor',
      azp: 'client_id',
      sub: 'subject',
      sub_profile: 'person',
    });
    const selector = desired.bindingRules[0]?.selector ?? '';
    const good = { client_id: 'web', actor: 'web', subject: 'alice', person: 'user' };
    expect(admits(selector, { value: good, list: {} })).toBe(true);
    for (const name of Object.keys(good)) {
      const { [name]: _, ...less } = good as Record<string, string>;
      expect(admits(selector, { value: less, list: {} })).toBe(false);
      expect(
        admits(selector, { value: { ...good, [name]: name === 'subject' ? 'web' : 'x' }, list: {} }),
      ).toBe(false);
    }
  });

  test('no actor or subject with another profile, if the token has a profile', () => {
    const agent = { ...web, attributes: { actor: 'agent' } };
    const limits = { ...mapping().limits, agent: { never: [], onBehalfOf: 'human' as const } };
    const classify = [{ attribute: 'actor', equals: 'agent', kind: 'agent' as const }];
    const { desired, actorKind } = desire(agent, { mapping: { limits, classify } });
    expect(actorKind).toBe('agent');
    expect(desired.authMethods[0]?.config.claimMappings).toEqual({
      '/act/sub': 'actor',
      '/act/sub_profile': 'actor_profile',
      azp: 'client_id',
      sub: 'subject',
      sub_profile: 'subject_profile',
    });
    const selector = desired.bindingRules[0]?.selector ?? '';
    const delegated = { client_id: 'web', actor: 'web', subject: 'alice' };
    const says = (more: Record<string, string>) =>
      admits(selector, { value: { ...delegated, ...more }, list: {} });
    expect(says({})).toBe(true);
    for (const actor of ['ai_agent', 'AI_Agent', 'service ai_agent', 'ai_agent acme'])
      expect(says({ actor_profile: actor, subject_profile: 'USER' }), actor).toBe(true);
    for (const actor of ['', 'service', 'user', 'not_ai_agent', 'ai_agents', 'ai-agent'])
      expect(says({ actor_profile: actor }), actor).toBe(false);
    for (const subject of ['', 'service', 'ai_agent', 'super_user', 'users'])
      expect(says({ subject_profile: subject }), subject).toBe(false);
  });

  test('exactly this client, for all IDs and claims', () => {
    fc.assert(
      fc.property(
        hostileText,
        fc.dictionary(fc.constantFrom('client_id', 'own_token', 'subject', 'x'), hostileText),
        fc.boolean(),
        (clientId, value, isPeoples) => {
          const of = { ...(isPeoples ? people : web), clientId };
          const [rule] = desire(of).desired.bindingRules;
          if (clientId === '' || !clientId.isWellFormed()) expect(rule).toBeUndefined();
          else {
            const selector = rule?.selector ?? '';
            const own = isPeoples ? {} : { own_token: clientId };
            expect(admits(selector, { value: { client_id: clientId, ...own }, list: {} })).toBe(true);
            expect(admits(selector, { value, list: {} })).toBe(
              value.client_id === clientId && (isPeoples || value.own_token === clientId),
            );
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});
