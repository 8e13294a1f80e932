import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { ManifestDirectory } from '../../../src/consul/crd/manifest-directory.js';
import { intentionsFile, toEntry, toIntentionsText } from '../../../src/consul/crd/own-entries.js';
import { isResourceName, toResourceName } from '../../../src/consul/crd/resource-name.js';
import type { Access, NewSource, ServiceName } from '../../../src/model/intention.js';
import { runsOf } from '../../support/soak.js';

const PLACE = { partition: 'default' };
const HEADER = new ManifestDirectory({ directory: '/', owner: 'payments' }).header;
const nameOf = (name: string, namespace = 'default'): ServiceName => ({
  partition: 'default',
  namespace,
  name,
});

const strings = z.record(z.string(), z.string());
const claim = z.strictObject({ path: z.array(z.string()), value: z.string() });
const jwt = z.strictObject({
  providers: z.array(z.strictObject({ name: z.string(), verifyClaims: z.array(claim).optional() })),
});
const path = { pathExact: z.string(), pathPrefix: z.string(), pathRegex: z.string() };
const header = z.strictObject({ name: z.string(), exact: z.string() });
const http = z.strictObject({ ...path, methods: z.array(z.string()), header: z.array(header) }).partial();
/** The fields of consul-k8s, as far as scopemesh writes them: Kubernetes drops a field that it does not know. */
const RESOURCE = z.strictObject({
  apiVersion: z.literal('consul.hashicorp.com/v1alpha1'),
  kind: z.literal('ServiceIntentions'),
  metadata: z.strictObject({ name: z.string(), labels: strings, annotations: strings }),
  spec: z.strictObject({
    destination: z.strictObject({ name: z.string() }),
    sources: z.array(
      z.strictObject({
        name: z.string(),
        namespace: z.string().optional(),
        description: z.string(),
        action: z.enum(['allow', 'deny']).optional(),
        permissions: z
          .array(z.strictObject({ action: z.literal('allow'), http, jwt: jwt.optional() }))
          .optional(),
      }),
    ),
  }),
});

/** Names as people and attackers choose them. */
const hostile = fc.oneof(
  fc.constantFrom(
    '../../etc/passwd',
    '..',
    '.',
    'Orders',
    'orders',
    'a/b',
    'a\nb: c',
    '*',
    '-',
    '~',
    'on',
    '1_0',
  ),
  fc.constantFrom(
    '"',
    "'",
    '{}',
    '&a',
    '*a',
    '!!js',
    '%',
    '#',
    'x'.repeat(300),
    'a: b',
    '\u2028',
    '\u202e',
    'ä',
    '\u{1f512}',
  ),
  fc.string({ minLength: 1, unit: 'binary' }).filter((text) => text.isWellFormed()),
);
const texts = fc.oneof(hostile, fc.string({ minLength: 1, maxLength: 20 }));
const access: fc.Arbitrary<Access> = fc.oneof(
  fc.constantFrom<Access>({ kind: 'allow' }, { kind: 'deny' }),
  fc
    .array(
      fc.oneof(
        fc.record({ pathExact: texts, methods: fc.constant(['GET', 'POST']) }),
        fc.record({ pathRegex: texts, headers: fc.tuple(fc.record({ name: texts, exact: texts })) }),
        fc.record({
          pathPrefix: texts,
          jwt: fc.record({
            provider: texts,
            verifyClaims: fc.array(fc.record({ path: fc.array(texts, { minLength: 1 }), value: texts }), {
              maxLength: 2,
            }),
          }),
        }),
      ),
      { minLength: 1, maxLength: 3 },
    )
    .map((permissions) => ({ kind: 'http' as const, permissions })),
);
const source: fc.Arbitrary<NewSource> = fc.record({
  name: texts,
  namespace: fc.constantFrom('default', 'other'),
  partition: fc.constant('default'),
  description: texts,
  access,
});
const keyOf = ({ namespace, name }: { namespace: string; name: string }) => JSON.stringify([namespace, name]);

describe('a manifest', () => {
  it('reads back as it was written, whatever the names and rules hold, in any order of the sources', () => {
    const sources = fc.uniqueArray(source, { minLength: 1, maxLength: 4, selector: keyOf });
    fc.assert(
      fc.property(hostile, sources, (name, list) => {
        const destination = nameOf(name);
        const text = toIntentionsText(destination, undefined, list, undefined, PLACE, HEADER);
        expect(() => RESOURCE.parse(parse(text))).not.toThrow();
        const file = { name: intentionsFile(destination), text, index: 7 };
        const entry = toEntry(file, PLACE);
        expect(entry).toMatchObject({ destination, meta: {}, modifyIndex: 7 });
        const read = entry.sources.map(({ raw: _, isLegacy: __, ...rest }) => rest);
        const byKey = (a: { namespace: string; name: string }, b: typeof a) => (keyOf(a) < keyOf(b) ? -1 : 1);
        expect(read.toSorted(byKey)).toEqual(list.toSorted(byKey));
        const again = toIntentionsText(destination, entry, entry.sources.toReversed(), file, PLACE, HEADER);
        expect(again).toBe(text);
        expect(toIntentionsText(destination, undefined, list.toReversed(), undefined, PLACE, HEADER)).toBe(
          text,
        );
      }),
      { numRuns: 12 },
    );
  });

  it('escapes what YAML 1.1 takes for a line break, and what nobody sees', () => {
    const odd: NewSource = {
      ...nameOf('a\u2028b\u0085c\u202ed\ufeff'),
      description: 'on',
      access: { kind: 'allow' },
    };
    const text = toIntentionsText(nameOf('orders'), undefined, [odd], undefined, PLACE, HEADER);
    expect(text).toMatch(/^[\n -~]*$/);
    expect(text).toContain('description: "on"');
  });

  it('is refused for half a character', () => {
    const odd: NewSource = { ...nameOf('a\ud83d'), description: '', access: { kind: 'allow' } };
    expect(() => toIntentionsText(nameOf('orders'), undefined, [odd], undefined, PLACE, HEADER)).toThrow(
      /YAML cannot hold/,
    );
  });

  it('has a name that Kubernetes takes, and that no other destination has', () => {
    const namespaces = fc.constantFrom('default', 'other');
    const services = fc.tuple(fc.oneof(hostile, fc.stringMatching(/^[a-z-]{1,70}$/)), namespaces);
    const seen = new Map<string, string>();
    const check = ([name, namespace]: [string, string]) => {
      const destination = nameOf(name, namespace);
      const resource = toResourceName(destination);
      expect([resource.length <= 63, isResourceName(resource)]).toEqual([true, true]);
      const text = keyOf({ name: name.toLowerCase(), namespace });
      expect(seen.get(resource) ?? text).toBe(text);
      seen.set(resource, text);
    };
    fc.assert(fc.property(services, check), runsOf(100, 30));
    expect(toResourceName(nameOf('orders'))).toBe('orders');
    // The name of the resource of another service gets another name.
    check([toResourceName(nameOf('a/b')), 'default']);
    check(['a/b', 'default']);
  });
});
