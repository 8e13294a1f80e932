// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references of the configuration file
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Config } from '../../config/config.js';
import { loadConfig, loadWithoutMapping } from '../../config/load.js';
import { changedSections, isWritableRule, toProposedText } from '../../config/proposed-file.js';
import type { Rule } from '../../src/model/rule.js';
import { hostileText } from '../plan/worlds.js';

const BARE = `
consul: { address: "http://127.0.0.1:8500", token: "\${file:secrets/token}" }
providers:
  - { name: main, kind: oidc, issuer: "https://id.example.com", directory: ./clients.json, audience: consul } # the directory
`;

const HOME = resolve('/etc/scopemesh');
const environment = { CONSUL_TOKEN: 'secret', ROOT: '/srv' };

const loaded = async (text: string, directory = HOME): Promise<Config> => {
  const path = resolve(directory, 'scopemesh.yaml');
  const readFile = async (file: string) => (file === path ? text : `content of ${file}`);
  return (await loadConfig({ path, environment, readFile })).config;
};
const bare = async (text: string) =>
  (
    await loadWithoutMapping({
      path: resolve(HOME, 'x.yaml'),
      environment,
      readFile: async (file) => (file === resolve(HOME, 'x.yaml') ? text : 'content'),
    })
  ).config;
const rule = (scope: string, more: Partial<Rule> = {}): Rule => ({
  scope,
  to: 'orders',
  userRequired: false,
  ...more,
});
const KNOWN_PATHS = [
  'caFile',
  'certFile',
  'directory',
  'federatedTokenFile',
  'keyFile',
  'keysCaFile',
  'signingKeyFile',
];
const HERE = { from: HOME, to: HOME };

describe('the proposed file', () => {
  it('is valid for any rule that counts as writable, and says exactly that rule', async () => {
    const config = await bare(BARE);
    const someRule = fc
      .tuple(hostileText, hostileText, fc.constantFrom('pathRegex', 'pathExact', 'api', 'header'))
      .map(([scope, text, key]) =>
        rule(scope, key === 'header' ? { headers: [{ name: 'x-t', exact: text }] } : { [key]: text }),
      );
    await fc.assert(
      fc.asyncProperty(someRule, async (each) => {
        fc.pre(isWritableRule(each, config));
        expect((await loaded(toProposedText(BARE, [each], HERE))).rules).toEqual([each]);
      }),
      { numRuns: 30 },
    );
  });

  it.each([
    ['with a fault in its pattern', rule('orders:{')],
    ['with the name of a field of every object', rule('__proto__')],
    ['with an unknown method', rule('orders', { methods: ['BREW'] })],
    ['of an unknown provider', rule('orders', { provider: 'other' })],
  ])('holds no rule %s', async (_, each) => {
    expect(isWritableRule(each, await bare(BARE))).toBe(false);
  });

  it('writes a reference literally, keeps those of the file, and observes', async () => {
    const headers = [{ name: 'x-t', exact: '${CONSUL_TOKEN}' }];
    const text = toProposedText(`mode: enforce\n${BARE}`, [rule('orders', { headers })], HERE);
    expect(text).toContain('${file:secrets/token}');
    expect(text).toContain('# the directory');
    expect(await loaded(text)).toMatchObject({ mode: 'observe', rules: [{ headers }] });
  });

  it('leads to the same files from another directory', async () => {
    const to = resolve(HOME, 'proposal');
    const config = await loaded(toProposedText(BARE, [], { from: HOME, to }), to);
    expect(config.providers).toMatchObject([{ directory: resolve(HOME, 'clients.json') }]);
    expect(config.consul.token?.reveal()).toBe(`content of ${resolve(HOME, 'secrets/token')}`);
  });

  it('leads to the same secrets, also in a list', async () => {
    const hook = '{ secrets: ["${file:secrets/new}", "${file:secrets/old}"] }';
    const text = BARE.replace('audience: consul', `audience: consul, webhook: ${hook}`);
    const moved = toProposedText(text, [], { from: HOME, to: resolve(HOME, 'proposal') });
    expect(moved.match(/\$\{file:[^}]*\}/g)).toEqual([
      '${file:../secrets/token}',
      '${file:../secrets/new}',
      '${file:../secrets/old}',
    ]);
  });

  it.each([
    ['no state directory', ''],
    ['a default', 'state: { directory: "${DATA:-./data}" }'],
    ['a default of a part', 'state: { directory: "${DATA:-../lib}/data" }'],
    ['an absolute variable', 'state: { directory: "${ROOT}/data" }'],
    ['a variable later', 'state: { directory: "./${CONSUL_TOKEN}/data" }'],
  ])('leads to the same files with %s', async (_, more) => {
    const text = `owner: pay\nmode: observe\nscopes: {}\n${BARE}${more}\n`;
    const to = resolve(HOME, 'proposal/deep');
    const moved = await loaded(toProposedText(text, [], { from: HOME, to }), to);
    expect(changedSections(await loaded(text), moved)).toEqual([]);
  });

  it('finds a path that begins with a variable and leads elsewhere', async () => {
    const more = 'state: { directory: "${CONSUL_TOKEN}/data" }';
    const text = `owner: pay\nmode: observe\nscopes: {}\n${BARE}${more}\n`;
    const to = resolve(HOME, 'proposal');
    const moved = await loaded(toProposedText(text, [], { from: HOME, to }), to);
    expect(changedSections(await loaded(text), moved)).toEqual(['state']);
  });

  it('takes each key of the schema that names a file for a path', () => {
    const schema = readFileSync(new URL('../../config/scopemesh.schema.json', import.meta.url), 'utf8');
    const keys = new Set([...schema.matchAll(/"(\w*(?:File|Path|irectory))": \{/g)].map(([, key]) => key));
    // `rawPath` is a switch of a rule.
    expect([...keys].filter((key) => key !== 'rawPath').toSorted()).toEqual([...KNOWN_PATHS]);
    const text = [...KNOWN_PATHS].map((key) => `${key}: a/b\n`).join('');
    const moved = toProposedText(text, [], { from: HOME, to: resolve(HOME, 'proposal') });
    for (const key of KNOWN_PATHS) expect(moved).toContain(`${key}: ../a/b`);
  });

  it('adds to the rules that the file has', async () => {
    const text = `owner: pay\nscopes: { orders: { acl: 'key "a" { policy = "read" }' } }\n${BARE}`;
    const proposed = [rule('orders'), rule('orders', { to: 'billing' }), rule('{a}:call', { to: '{a}' })];
    const { rules, owner } = await loaded(toProposedText(text, proposed, HERE));
    expect(owner).toBe('pay');
    expect(rules.slice(1)).toEqual(proposed);
    expect(rules[0]).toMatchObject({ scope: 'orders', acl: 'key "a" { policy = "read" }' });
  });
});
