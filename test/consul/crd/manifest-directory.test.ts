import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { ManifestDirectory } from '../../../src/consul/crd/manifest-directory.js';
import { intentionsFile, toEntry, toIntentionsText } from '../../../src/consul/crd/own-entries.js';
import { isResourceName, toResourceName } from '../../../src/consul/crd/resource-name.js';
import type { Access, NewSource, ServiceName } from '../../../src/model/intention.js';
import { failureOf } from '../../support/failure-of.js';
import { runsOf } from '../../support/soak.js';

const never = new AbortController().signal;
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

describe('the directory of the manifests', () => {
  let outside: string;
  let directory: string;
  let files: ManifestDirectory;
  beforeEach(() => {
    outside = mkdtempSync(join(tmpdir(), 'scopemesh-crd-'));
    // Every user may pass through, for `asUser`.
    for (const each of [tmpdir(), outside]) chmodSync(each, statSync(each).mode | 0o111);
    directory = join(outside, 'manifests');
    mkdirSync(directory, { mode: 0o755 });
    files = new ManifestDirectory({ directory, owner: 'payments' });
  });
  afterEach(() => rmSync(outside, { recursive: true, force: true }));
  const own = (text: string) => `${HEADER}\n${text}`;

  it('holds every file that a hostile name asks for, and nothing beside it changes', async () => {
    for (const name of ['../x', '/etc/x', '..', 'a/../../x', 'x\0y', 'ORDERS']) {
      const file = intentionsFile(nameOf(name));
      expect((await files.replace(file, own(name), 0)).kind).toBe('written');
    }
    expect(readdirSync(outside)).toEqual(['manifests']);
    expect(readdirSync(directory)).toHaveLength(6);
  });

  it.each([
    ['no header', 'kind: ServiceIntentions\n'],
    ['the header of another owner', `${HEADER.replace('payments', 'pay')}\n`],
    ['a longer header', `${HEADER} x\n`],
    ['no content', ''],
  ])('leaves a file with %s', async (_, text) => {
    writeFileSync(join(directory, 'a.yaml'), text);
    expect(await files.read('a.yaml')).toBe('foreign');
    for (const next of [own('x'), undefined])
      expect((await failureOf(files.replace('a.yaml', next, 0))).code).toBe('ERR_CONSUL_REJECTED');
    expect(readFileSync(join(directory, 'a.yaml'), 'utf8')).toBe(text);
    expect(await files.list('a', never)).toEqual([]);
  });

  it('leaves a link, which could lead out of it, and a directory, names them, and reads the others', async () => {
    writeFileSync(join(outside, 'target'), own('x'));
    symlinkSync(join(outside, 'target'), join(directory, 'a.yaml'));
    mkdirSync(join(directory, 'b.yaml'));
    writeFileSync(join(directory, 'c.yaml'), own('z'));
    for (const name of ['a.yaml', 'b.yaml'])
      for (const next of [own('y'), undefined])
        expect((await failureOf(files.replace(name, next, 0))).code).toBe('ERR_CONSUL_INCOMPLETE');
    const why = expect.stringContaining('it is a link, a directory or a device');
    expect(await files.list('', never)).toEqual([
      { name: 'a.yaml', why },
      { name: 'b.yaml', why },
      expect.objectContaining({ name: 'c.yaml', text: own('z') }),
    ]);
    expect(readFileSync(join(outside, 'target'), 'utf8')).toBe(own('x'));
  });

  it('names a file that it may not read, and reads the others', async () => {
    for (const name of ['a.yaml', 'b.yaml']) writeFileSync(join(directory, name), own(name));
    chmodSync(join(directory, 'a.yaml'), 0o000);
    const found = await asUser(() => files.list('', never));
    expect(found).toMatchObject([
      { name: 'a.yaml', why: expect.stringContaining('no permission') },
      { name: 'b.yaml' },
    ]);
    expect((await asUser(() => failureOf(files.replace('a.yaml', undefined, 0)))).code).toBe(
      'ERR_CONSUL_INCOMPLETE',
    );
    expect(readdirSync(directory)).toEqual(['a.yaml', 'b.yaml']);
  });

  it('lets no file grow beyond what Kubernetes stores, and every file shrink', async () => {
    const large = own('x'.repeat(1_100_000));
    expect((await failureOf(files.replace('a.yaml', large, 0))).code).toBe('ERR_CONSUL_REJECTED');
    writeFileSync(join(directory, 'a.yaml'), `${large}x`);
    const [file] = await files.list('a', never);
    expect((await files.replace('a.yaml', large, file && 'index' in file ? file.index : 0)).kind).toBe(
      'written',
    );
  });

  it('takes a file of others for foreign, however large it is', async () => {
    writeFileSync(join(directory, 'a.yaml'), '');
    truncateSync(join(directory, 'a.yaml'), 17 * 1024 * 1024);
    expect(await files.list('a', never)).toEqual([]);
  });

  it('leaves nothing behind of a write that the lost lease ends', async () => {
    const unled = new ManifestDirectory({ directory, owner: 'payments', mayWrite: () => false });
    await failureOf(unled.replace('a.yaml', own('x'), 0));
    expect(readdirSync(directory)).toEqual([]);
  });

  it('knows its file after Git changed the line ends', async () => {
    writeFileSync(join(directory, 'a.yaml'), own('x\n').replaceAll('\n', '\r\n'));
    expect(await files.list('a', never)).toHaveLength(1);
  });

  it('has another fingerprint after each change, and the same without one', async () => {
    const first = await files.fingerprint('a', never);
    await files.replace('a.yaml', own('x'), 0);
    const second = await files.fingerprint('a', never);
    writeFileSync(join(directory, 'b.yaml'), own('x'));
    expect(await files.fingerprint('a', never)).toBe(second);
    expect(second).not.toBe(first);
  });

  it('changes nothing without the lease', async () => {
    const unled = new ManifestDirectory({ directory, owner: 'payments', mayWrite: () => false });
    expect((await failureOf(unled.replace('a.yaml', own('x'), 0))).code).toBe('ERR_TIMEOUT');
    expect(await files.read('a.yaml')).toBeUndefined();
  });

  it('that is missing is an error, never a directory without files', async () => {
    rmSync(directory, { recursive: true });
    const looks = [
      () => files.list('a', never),
      () => files.read('a.yaml'),
      () => files.fingerprint('a', never),
    ];
    for (const look of looks)
      expect((await failureOf(look())).message).toContain('does not exist; create it');
  });

  it.each([
    ['<<<<<<< HEAD\na: b\n=======\n', 'no valid YAML'],
    ['kind: ServiceDefaults\n', 'it is no ServiceIntentions'],
    ['a: &a [x]\nb: *a\n', 'no valid YAML'],
  ])('names an own file that cannot be read: %j', async (text, why) => {
    const name = intentionsFile(nameOf('orders'));
    writeFileSync(join(directory, name), own(text));
    const [file] = await files.list('serviceintentions.', never);
    if (file === undefined || 'why' in file) throw new Error('the file is not listed');
    expect(() => toEntry(file, PLACE)).toThrow(why);
    expect(() => toEntry(file, PLACE)).toThrow(name);
  });

  it('refuses an own file under the name of another destination', async () => {
    const text = toIntentionsText(nameOf('orders'), undefined, [], undefined, PLACE, HEADER);
    const copy = { name: intentionsFile(nameOf('copy')), text, index: 1 };
    expect(() => toEntry(copy, PLACE)).toThrow('rename or delete it');
  });
});

/** As a user without the power to read every file: root reads them all. */
async function asUser<T>(work: () => Promise<T>): Promise<T> {
  const id = process.geteuid?.();
  if (id === 0) process.seteuid?.(65_534);
  try {
    return await work();
  } finally {
    if (id === 0) process.seteuid?.(0);
  }
}
