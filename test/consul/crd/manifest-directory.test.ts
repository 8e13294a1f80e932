import {
  chmodSync,
  mkdirSync,
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
import { beforeEach, describe, expect, it } from 'vitest';
import { ManifestDirectory } from '../../../src/consul/crd/manifest-directory.js';
import { intentionsFile, toEntry, toIntentionsText } from '../../../src/consul/crd/own-entries.js';
import type { ServiceName } from '../../../src/model/intention.js';
import { failureOf } from '../../support/failure-of.js';
import { newDirectory } from '../../support/use-directory.js';

const never = new AbortController().signal;
const PLACE = { partition: 'default' };
const HEADER = new ManifestDirectory({ directory: '/', owner: 'payments' }).header;
const nameOf = (name: string, namespace = 'default'): ServiceName => ({
  partition: 'default',
  namespace,
  name,
});

describe('the directory of the manifests', () => {
  let outside: string;
  let directory: string;
  let files: ManifestDirectory;
  beforeEach(() => {
    outside = newDirectory();
    // Every user may pass through, for `asUser`.
    for (const each of [tmpdir(), outside]) chmodSync(each, statSync(each).mode | 0o111);
    directory = join(outside, 'manifests');
    mkdirSync(directory, { mode: 0o755 });
    files = new ManifestDirectory({ directory, owner: 'payments' });
  });
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
