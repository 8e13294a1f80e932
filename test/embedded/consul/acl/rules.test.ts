import { describe, expect, it } from 'vitest';
import { parseAclRules } from '../../../../src/embedded/consul/acl/rules.js';

describe('ACL rules', () => {
  it('read the same in HCL and in JSON', () => {
    const hcl = parseAclRules(`
      # a comment
      acl = "read"
      service "web" { policy = "write", intentions = "read" } // another
      service_prefix "" { policy = "read" }
      /* and a
         third */
      key_prefix "a \\"quoted\\" one/" { policy = "list" }
    `);
    const json = parseAclRules(
      JSON.stringify({
        acl: 'read',
        service: { web: { policy: 'write', intentions: 'read' } },
        service_prefix: { '': { policy: 'read' } },
        key_prefix: { 'a "quoted" one/': { policy: 'list' } },
      }),
    );
    expect(json).toEqual(hcl);
    expect(hcl.named).toHaveLength(3);
  });

  it('take lists of labels in JSON', () => {
    const rules = parseAclRules('{"key":[{"a":{"policy":"read"}},{"b":{"policy":"deny"}}]}');
    expect(rules.named.map((rule) => `${rule.segment} ${rule.policy}`)).toEqual(['a read', 'b deny']);
  });

  it.each([
    ['service "a" {', 'Failed to parse ACL rules'],
    ['service "a" { policy = "always" }', 'Invalid service policy'],
    ['{"service":', 'Failed to parse ACL rules'],
    ['service "a" { policy = "list" }', 'Invalid service policy'],
    ['service "a" = ', 'Failed to parse ACL rules'],
  ])('refuse %s', (text, message) => {
    expect(() => parseAclRules(text)).toThrow(message);
  });
});
