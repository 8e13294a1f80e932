import { describe, expect, it } from 'vitest';
import { flawFindings } from '../../../src/cli/doctor/known-flaws.js';

const nothing = { paths: false, headers: false, users: false };
const all = { paths: true, headers: true, users: true };

const found = (version: string, use = all) =>
  flawFindings(version, use).flatMap(({ message, severity }) => {
    const cve = /CVE-\d+-\d+/.exec(message)?.[0];
    return cve === undefined ? [] : [`${cve} ${severity}`];
  });

const [PATHS, HEADERS, JWT, EXTENSIONS] = [
  'CVE-2024-10005',
  'CVE-2024-10006',
  'CVE-2023-3518',
  'CVE-2023-2816',
];

describe('known vulnerabilities of Consul', () => {
  it.each([
    ['1.14.11', [PATHS, HEADERS]],
    ['1.15.2', [PATHS, HEADERS, EXTENSIONS]],
    ['1.15.3', [PATHS, HEADERS]],
    ['1.16.0', [PATHS, HEADERS, JWT]],
    ['1.16.1', [PATHS, HEADERS]],
    ['1.20.0', [PATHS, HEADERS]],
    ['v1.20.1', []],
    ['1.21.0', []],
    // Only Enterprise was mended in older lines.
    ['1.18.5', [PATHS, HEADERS]],
    ['1.18.5+ent', []],
    ['1.18.4+ent', [PATHS, HEADERS]],
    ['1.17.9+ent', [PATHS, HEADERS]],
    ['1.19.3+ent.fips1402', []],
  ])('of %s are %j', (version, cves) => {
    expect(found(version)).toEqual(cves.map((cve) => `${cve} warning`));
  });

  it('are a notice if no rule relies on the broken check', () => {
    expect(found('1.16.0', nothing)).toEqual([`${PATHS} notice`, `${HEADERS} notice`, `${JWT} notice`]);
    expect(found('1.15.0', { ...nothing, paths: true })).toEqual([
      `${PATHS} warning`,
      `${HEADERS} notice`,
      `${EXTENSIONS} warning`,
    ]);
  });

  it('each have a remedy, and it is ok if none is known', () => {
    for (const { remedy, id } of flawFindings('1.15.0', all))
      expect([id, remedy]).toEqual(['consul.flaws', expect.stringMatching(/^use 1/)]);
    expect(flawFindings('1.20.1', all)).toMatchObject([{ severity: 'ok' }]);
    expect(flawFindings('unknown', all)).toMatchObject([{ severity: 'notice' }]);
  });
});
