import { describe, expect, it } from 'vitest';
import { Authorizer } from '../../../../src/embedded/consul/acl/authorizer.js';
import { parseAclRules } from '../../../../src/embedded/consul/acl/rules.js';

const may = (...texts: string[]) =>
  new Authorizer('me', texts.map(parseAclRules), { named: false, acl: false });

describe('an authorizer', () => {
  it('denies what no rule names, and allows it where that is the default', () => {
    expect(may().isAllowed('key', 'read', 'a')).toBe(false);
    expect(new Authorizer('', [], { named: true, acl: false }).isAllowed('key', 'write', 'a')).toBe(true);
    expect(new Authorizer('', [], { named: true, acl: false }).isAllowed('acl', 'read')).toBe(false);
  });

  it('lets the exact rule win over prefixes, and the longest prefix over shorter ones', () => {
    const rules = may(
      'key_prefix "" { policy = "read" } key_prefix "a/" { policy = "write" } key "a/b" { policy = "deny" }',
    );
    expect(rules.isAllowed('key', 'read', 'x')).toBe(true);
    expect(rules.isAllowed('key', 'write', 'x')).toBe(false);
    expect(rules.isAllowed('key', 'write', 'a/c')).toBe(true);
    expect(rules.isAllowed('key', 'read', 'a/b')).toBe(false);
    expect(rules.isAllowed('key', 'write', 'a/b/c')).toBe(true);
  });

  it('lets a denial win where policies disagree on the same name', () => {
    const [write, deny] = ['service "a" { policy = "write" }', 'service "a" { policy = "deny" }'];
    expect(may(write, deny).isAllowed('service', 'read', 'a')).toBe(false);
    expect(may(deny, write).isAllowed('service', 'read', 'a')).toBe(false);
  });

  it('derives reading of intentions from services, and never writing', () => {
    const rules = may('service "a" { policy = "write" }');
    expect(rules.isAllowed('intention', 'read', 'a')).toBe(true);
    expect(rules.isAllowed('intention', 'write', 'a')).toBe(false);
  });

  it('wants all intentions to be writable before it writes one for every destination', () => {
    const all = 'service_prefix "" { policy = "read" intentions = "write" }';
    expect(may(all).isAllowed('intention', 'write', '*')).toBe(true);
    expect(
      may(all, 'service "a" { policy = "read" intentions = "read" }').isAllowed('intention', 'write', '*'),
    ).toBe(false);
    expect(
      may('service "a" { policy = "read" intentions = "write" }').isAllowed('intention', 'write', '*'),
    ).toBe(false);
    expect(may('service "a" { policy = "read" }').isAllowed('intention', 'read', '*')).toBe(true);
  });

  it('uses the operator rule for the mesh unless the mesh has its own', () => {
    expect(may('operator = "write"').isAllowed('mesh', 'write')).toBe(true);
    expect(may('operator = "write" mesh = "read"').isAllowed('mesh', 'write')).toBe(false);
  });

  it('writes a tree only where nothing in it is held back', () => {
    const rules = may('key_prefix "a/" { policy = "write" } key "a/locked" { policy = "read" }');
    expect(rules.isKeyTreeWritable('a/')).toBe(false);
    expect(rules.isKeyTreeWritable('a/b/')).toBe(true);
    expect(rules.isKeyTreeWritable('')).toBe(false);
  });
});
