// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references of the configuration file
import { describe, expect, it } from 'vitest';
import { diffConfig, mappingRevision, toMapping } from '../../config/mapping-revision.js';
import { fileWith, loadText } from './load-text.js';

const revisionOf = async (replacements: string, ...keys: string[]) =>
  mappingRevision(await loadText(fileWith(replacements, ...keys)));

const SCOPES = 'scopes: { a: { to: a, methods: [GET] }, b: { to: b } }';

describe('The revision of the mapping', () => {
  it('is a SHA-256 that equal content gives again, however it is written', async () => {
    const revision = await revisionOf(SCOPES, 'scopes');

    expect(revision).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(await revisionOf('scopes: { b: [{ to: b }], a: { methods: [GET], to: a } }', 'scopes')).toBe(
      revision,
    );
    expect(await revisionOf(`${SCOPES}\nresync: 7m\nhttp: { listen: "a:1" }`, 'scopes')).toBe(revision);
  });

  it('changes with the header for users of a provider', async () => {
    const provider = (more: string) =>
      revisionOf(
        `${SCOPES}\nproviders: [{ name: a, kind: oidc, issuer: "https://a", directory: d${more} }]`,
        'scopes',
        'providers',
      );
    expect(await provider(', forwardUserAs: x-user')).not.toBe(await provider(''));
    expect(await provider(', poll: 7s')).toBe(await provider(''));
  });

  it.each([
    ['a rule', 'scopes: { a: { to: a, methods: [GET, HEAD] }, b: { to: b } }', ['scopes']],
    ['a limit', `${SCOPES}\nactors: { agent: { never: [a] } }`, ['scopes']],
    ['how claims count', `${SCOPES}\nservices: { claims: first }`, ['scopes']],
    ['a protected service', `${SCOPES}\nguards: { protected: [a] }`, ['scopes']],
    ['the mode', `${SCOPES}\nmode: extend`, ['scopes', 'mode']],
    [
      'a provider',
      `${SCOPES}\nproviders: [{ name: main, kind: oidc, issuer: "https://sso.example.com/realms/main", directory: d }]`,
      ['scopes', 'providers'],
    ],
  ])('changes with %s', async (_, written, keys) => {
    expect(await revisionOf(written, ...keys)).not.toBe(await revisionOf(SCOPES, 'scopes'));
  });

  it('counts the order of classification, where the first match wins', async () => {
    const [a, b] = ['{ clientId: "a*", kind: agent }', '{ clientId: "*b", kind: human }'];

    expect(await revisionOf(`actors: { classify: [${a}, ${b}] }`)).not.toBe(
      await revisionOf(`actors: { classify: [${b}, ${a}] }`),
    );
  });

  it.each([
    ['{ address: "http://consul" }', undefined],
    ['{ address: "http://consul", namespace: default }', undefined],
    ['{ address: "http://consul", partition: eu }', { partition: 'eu', namespace: 'default' }],
  ])('does not count consul: %s, whose place is in the mapping', async (consul, place) => {
    const config = await loadText(fileWith(`consul: ${consul}`, 'consul'));
    expect(toMapping(config).place).toEqual(place);
    expect(mappingRevision(config)).toBe(mappingRevision(await loadText(fileWith(''))));
  });

  it('travels in the mapping that the plan takes', async () => {
    const config = await loadText(fileWith('guards: { protected: [vault] }'));

    expect(toMapping(config)).toMatchObject({
      owner: 'payments',
      mode: 'enforce',
      revision: mappingRevision(config),
      providers: ['main'],
      rules: [{ scope: 'orders:read', to: 'orders', userRequired: false }],
      claims: 'confirmed',
      classify: [],
      protectedServices: ['vault'],
      maxRevocations: { percent: 20, atLeast: 10, windowMs: 600_000 },
    });
  });
});

describe('The difference of two configurations', () => {
  it('is empty for equal ones', async () => {
    expect(diffConfig(await loadText(fileWith('')), await loadText(fileWith('# a comment')))).toEqual([]);
  });

  it('names each changed, added and removed value by its place', async () => {
    const old = await loadText(
      fileWith('scopes: { a: { to: a }, b: [{ to: b }, { to: c, methods: [GET] }] }', 'scopes'),
    );
    const next = await loadText(
      fileWith(
        'scopes: { b: [{ to: b }, { to: c, methods: [GET, PUT] }], d: { to: d } }\nresync: 6m',
        'scopes',
      ),
    );

    expect(diffConfig(old, next)).toEqual([
      { path: 'resyncMs', before: 300_000, after: 360_000 },
      { path: 'scopes.a#0.to', before: 'a', after: undefined },
      { path: 'scopes.a#0.userRequired', before: false, after: undefined },
      { path: 'scopes.b#1.methods', before: ['GET'], after: ['GET', 'PUT'] },
      { path: 'scopes.d#0.to', before: undefined, after: 'd' },
      { path: 'scopes.d#0.userRequired', before: undefined, after: false },
    ]);
  });

  it('shows only the origin of the URL of a webhook, whose path may be a secret', async () => {
    const fileOf = (path: string) => {
      const webhook = `{ name: a, url: "https://siem.example.com/${path}", secrets: [whsec_${'A'.repeat(40)}] }`;
      return fileWith(
        `${SCOPES}\ndecisions: { kind: embedded, webhooks: [${webhook}] }`,
        'scopes',
        'decisions',
      );
    };
    const changes = diffConfig(await loadText(fileOf('T0/hidden')), await loadText(fileOf('T1/hidden')));
    expect(changes.map(({ path }) => path)).toEqual(['decisions.webhooks']);
    expect(JSON.stringify(changes)).toContain('https://siem.example.com');
    expect(JSON.stringify(changes)).not.toContain('hidden');
  });

  it('follows a provider by its name, not by its place in the list', async () => {
    const provider = (name: string) =>
      `{ name: ${name}, kind: oidc, issuer: "https://${name}", directory: d }`;
    const load = (...names: readonly string[]) =>
      loadText(fileWith(`providers: [${names.map(provider).join()}]\nscopes: {}`, 'providers', 'scopes'));
    const old = await load('a', 'b');
    const next = await load('b', 'a');

    expect(diffConfig(old, next)).toEqual([]);
  });
});
