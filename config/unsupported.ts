import { asList, asMap, eachRule } from './checks.js';
import { type Finding, finding } from './finding.js';

/**
 * The parts of an expanded file that are understood but that this version would not carry out. They are
 * errors: a file that asks for something that is not enforced is refused, not half obeyed.
 */
export function unsupportedParts(file: unknown): Finding[] {
  const root = asMap(file);
  const findings: Finding[] = [];
  if ([true, 'on', 'true'].some((value) => value === root.login)) {
    findings.push(
      finding(['login'], 'logging in to Consul is not built yet; write "login: off" or remove the key'),
    );
  }
  for (const group of Object.keys(asMap(root.groups))) {
    findings.push(finding(['groups', group], 'rules for groups are not built yet; remove the group', 'key'));
  }
  for (const { rule, path } of eachRule(root)) {
    if (Object.hasOwn(rule, 'acl')) {
      findings.push(
        finding(
          [...path, 'acl'],
          'ACL rules are not built yet; remove the rule or open a destination with "to"',
          'key',
        ),
      );
    }
  }
  for (const [index] of asList(asMap(root.guards).freeze).entries()) {
    findings.push(
      finding(['guards', 'freeze', index], 'freezes are not built yet; write "freeze: []" or remove the key'),
    );
  }
  return findings;
}
