import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  decidingRule,
  intentionLevels,
  levelsOf,
  narrowerRules,
  wholeLevel,
} from '../../../src/acl/plan/merged-rules.js';
import { parseRules } from '../../../src/acl/plan/rules-text.js';
import { Authorizer } from '../../../src/embedded/consul/acl/authorizer.js';
import { parseAclRules } from '../../../src/embedded/consul/acl/rules.js';

const LEVELS = ['deny', 'read', 'write'];
const places = fc.tuple(fc.boolean(), fc.constantFrom('', 'w', 'we', 'web', 'webs'));
const word = (resource: string, [isPrefix, name]: [boolean, string]) =>
  `${resource}${isPrefix ? '_prefix' : ''} "${name}"`;
const service = fc
  .tuple(places, fc.constantFrom(...LEVELS), fc.constantFrom('', ...LEVELS))
  .map(([place, policy, intentions]) => {
    const said = intentions === '' ? '' : ` intentions = "${intentions}"`;
    return `${word('service', place)} { policy = "${policy}"${said} }`;
  });
const key = fc
  .tuple(places, fc.constantFrom('list', ...LEVELS))
  .map(([place, policy]) => `${word('key', place)} { policy = "${policy}" }`);
const whole = fc
  .tuple(fc.constantFrom('mesh', 'acl'), fc.constantFrom(...LEVELS))
  .map(([resource, policy]) => `${resource} = "${policy}"`);
/** One rule a policy, so that any of them may be about the same name. */
const policies = fc.array(fc.oneof(service, key, whole), { minLength: 1, maxLength: 6 });

describe('the rules of all policies of a token', () => {
  test('may write what Consul allows, for all rules for the same name and narrower ones', () => {
    fc.assert(
      fc.property(policies, (texts) => {
        const read = texts.map(parseRules);
        const consul = new Authorizer('a', texts.map(parseAclRules), { named: false, acl: false });
        for (const name of ['', 'w', 'web', 'webs', 'api']) {
          const may = (levels: ReturnType<typeof levelsOf>) => decidingRule(levels, name)?.level === 'write';
          expect(may(intentionLevels(read))).toBe(consul.isAllowed('intention', 'write', name));
          expect(may(levelsOf(read, 'service'))).toBe(consul.isAllowed('service', 'write', name));
          expect(may(levelsOf(read, 'key'))).toBe(consul.isAllowed('key', 'write', name));
        }
        expect(wholeLevel(read, 'acl') === 'write').toBe(consul.isAllowed('acl', 'write'));
        expect(wholeLevel(read, 'mesh') === 'write').toBe(consul.isAllowed('mesh', 'write'));
      }),
    );
  });

  test('for a part of the names with a beginning are returned, without the rule for all of them', () => {
    const text =
      'service_prefix "" { policy = "read" } service "" { policy = "read" } service "web" { policy = "read" }';
    expect(narrowerRules(intentionLevels([parseRules(text)]), '').map(({ name }) => name)).toEqual([
      '',
      'web',
    ]);
    expect(narrowerRules(intentionLevels([parseRules(text)]), 'we').map(({ name }) => name)).toEqual(['web']);
  });
});
