import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createCrdConsul } from '../../src/consul/crd/crd-consul.js';
import { intentionsFile } from '../../src/consul/crd/own-entries.js';
import { createEmbeddedConsul } from '../../src/embedded/consul/embedded-consul.js';
import { entryBlock } from '../../src/plan/entry-block.js';
import { isManagedElsewhere } from '../../src/plan/ownership.js';
import { runtimeOf } from '../support/crd-rig.js';
import { failureOf } from '../support/failure-of.js';
import { type EntryRig, entryWrites } from './consul-port/entry-writes.js';
import {
  type ConsulRig,
  nameOf,
  never,
  newSource,
  requireWritten,
  startConsulRig,
} from './consul-port/rig.js';

describe('the intentions of the Consul port as manifests beside an embedded Consul', () => {
  let rig: EntryRig | undefined;
  let httpRig: ConsulRig;
  let directory: string;
  let stop = async () => {};
  beforeAll(async () => {
    httpRig = await startConsulRig(async () => {
      const server = await createEmbeddedConsul({ defaultPolicy: 'deny' });
      return { ...server, datacenter: 'dc1', stop: () => server.close() };
    });
    stop = () => httpRig.stop();
    directory = mkdtempSync(join(tmpdir(), 'scopemesh-crd-'));
    const consul = createCrdConsul(httpRig.consul, runtimeOf(directory));
    const read: EntryRig['read'] = async (destination) => {
      const entry = await consul.intentions.read(nameOf(destination), never);
      if (entry === undefined) throw new Error(`there is no entry ${destination}`);
      return entry;
    };
    rig = {
      consul,
      read,
      fresh: httpRig.fresh,
      setProtocol: httpRig.setProtocol,
      rawEntryOf: async (destination) =>
        readFileSync(join(directory, intentionsFile(nameOf(destination))), 'utf8'),
      async create(destination, ...sources) {
        requireWritten(await consul.intentions.write(nameOf(destination), undefined, sources, 0, never));
        return (await read(destination)).modifyIndex;
      },
    };
  });
  afterAll(() => stop());
  const theRig = () => {
    if (rig === undefined) throw new Error('the rig was not started');
    return rig;
  };
  entryWrites(theRig, { isIndexOfContent: true });

  const fileOf = (destination: string) => join(directory, intentionsFile(nameOf(destination)));
  const sourcesInConsul = async (destination: string) =>
    (await httpRig.consul.intentions.read(nameOf(destination), never))?.sources
      .map(({ name }) => name)
      .toSorted();
  /** The entry as scopemesh wrote it before `consul.target`. */
  const fromApi = async (...sources: string[]) => {
    const orders = theRig().fresh('orders');
    await httpRig.create(orders, ...sources.map((name) => newSource(name)));
    return orders;
  };
  const fromResource = async (destination: string, ...sources: string[]) => {
    await httpRig.request('PUT', '/v1/config', {
      Kind: 'service-intentions',
      Name: destination,
      Meta: { 'external-source': 'kubernetes' },
      Sources: sources.map((Name) => ({ Name, Action: 'allow', Description: 'scopemesh:payments' })),
    });
  };

  const addOfOthers = async (destination: string) => {
    const { Sources, ...entry } = await httpRig.rawEntryOf(destination);
    await httpRig.request('PUT', '/v1/config', {
      ...entry,
      Sources: [...Sources, { Name: 'admin', Action: 'allow' }],
    });
  };

  it('an entry of the API without a file is there, and its revocation reaches Consul', async () => {
    const { consul, read } = theRig();
    const orders = await fromApi('web');
    const entry = await read(orders);
    expect(entry.sources.map(({ name }) => name)).toEqual(['web']);
    expect((await consul.intentions.list(never)).find((each) => each.destination.name === orders)).toEqual(
      entry,
    );
    expect(consul.manifests?.unsynced().map(({ name }) => name)).toContain(orders);
    expect((await consul.intentions.delete(nameOf(orders), entry.modifyIndex - 1, never)).kind).toBe(
      'conflict',
    );
    requireWritten(await consul.intentions.delete(nameOf(orders), entry.modifyIndex, never));
    expect(await sourcesInConsul(orders)).toBeUndefined();
  });

  it('an entry of the API and its file stay equal, so that consul-k8s can take it over', async () => {
    const { consul, read } = theRig();
    const orders = await fromApi('web', 'api');
    const before = await read(orders);
    const kept = [newSource('web'), newSource('api')];
    requireWritten(await consul.intentions.write(nameOf(orders), before, kept, before.modifyIndex, never));
    expect(existsSync(fileOf(orders))).toBe(true);
    expect((await httpRig.read(orders)).modifyIndex).toBe(before.modifyIndex);
    const moved = await read(orders);
    expect(moved.sources.map(({ description }) => description)).toEqual(
      before.sources.map(() => 'scopemesh:payments'),
    );
    const left = [newSource('api')];
    requireWritten(await consul.intentions.write(nameOf(orders), moved, left, moved.modifyIndex, never));
    expect(await sourcesInConsul(orders)).toEqual(['api']);
    const last = await read(orders);
    requireWritten(await consul.intentions.delete(nameOf(orders), last.modifyIndex, never));
    expect([await sourcesInConsul(orders), existsSync(fileOf(orders))]).toEqual([undefined, false]);
  });

  it('a deny that keeps the description of its source has only the mark', async () => {
    const { consul, read } = theRig();
    const orders = await fromApi('web');
    const { modifyIndex, sources } = await read(orders);
    const denied = sources.map(({ raw: _, isLegacy: __, ...rest }) => ({
      ...rest,
      access: { kind: 'deny' } as const,
    }));
    requireWritten(await consul.intentions.write(nameOf(orders), undefined, denied, modifyIndex, never));
    for (const entry of [await read(orders), await httpRig.read(orders)])
      expect(entry.sources).toMatchObject([{ description: 'scopemesh:payments', access: { kind: 'deny' } }]);
  });

  it('an entry of the API that no longer equals its file counts as it is in Consul', async () => {
    const { create, read } = theRig();
    const orders = theRig().fresh('orders');
    await create(orders, newSource('api'));
    await httpRig.create(orders, newSource('web'));
    expect((await read(orders)).sources.map(({ name }) => name)).toEqual(['web']);
  });

  it('an entry of a resource whose file is gone is absent, unsynced, and left to GitOps', async () => {
    const { consul } = theRig();
    const orders = theRig().fresh('orders');
    await fromResource(orders, 'web');
    expect(await consul.intentions.read(nameOf(orders), never)).toBeUndefined();
    await consul.intentions.list(never);
    expect(consul.manifests?.unsynced().map(({ name }) => name)).toContain(orders);
    requireWritten(await consul.intentions.delete(nameOf(orders), 0, never));
    expect(await sourcesInConsul(orders)).toEqual(['web']);
  });

  it.each(['without a file', 'with one'])(
    'an entry of the API to which others added a source is held, %s',
    async (having) => {
      const { consul, create, read } = theRig();
      const orders = theRig().fresh('orders');
      const sources = [newSource('web'), newSource('api')];
      if (having === 'with one') await create(orders, ...sources);
      await httpRig.create(orders, ...sources);
      await addOfOthers(orders);
      const held = await read(orders);
      expect([isManagedElsewhere(held), held.sources.map(({ name }) => name).toSorted()]).toEqual([
        true,
        ['admin', 'api', 'web'],
      ]);
      expect((await consul.intentions.list(never)).find((each) => each.destination.name === orders)).toEqual(
        held,
      );
    },
  );

  it('an entry that consul-k8s took over counts as its file says, whatever others have in it', async () => {
    const { create, read } = theRig();
    const orders = theRig().fresh('orders');
    await create(orders, newSource('web'));
    await fromResource(orders, 'web');
    await addOfOthers(orders);
    const entry = await read(orders);
    expect([isManagedElsewhere(entry), entry.sources.map(({ name }) => name)]).toEqual([false, ['web']]);
  });

  it('a revocation does not need the protocol file of a destination whose other sources have L7', async () => {
    const consul = createCrdConsul(httpRig.consul, { ...runtimeOf(directory), serviceDefaults: true });
    const orders = theRig().fresh('orders_api');
    const l7 = { kind: 'http', permissions: [{ pathPrefix: '/' }] } as const;
    await theRig().create(orders, newSource('web', l7), newSource('api', l7));
    const before = await theRig().read(orders);
    const left = before.sources.filter(({ name }) => name === 'api');
    const added = [...left, newSource('bot', l7)];
    const write = (sources: typeof added | typeof left) =>
      consul.intentions.write(nameOf(orders), before, sources, before.modifyIndex, never);
    expect((await failureOf(write(added))).message).toContain('Kubernetes accepts no ServiceDefaults');
    requireWritten(await write(left));
    expect((await theRig().read(orders)).sources.map(({ name }) => name)).toEqual(['api']);
  });

  it.each([
    ['lost its first line', changed((text) => text.slice(text.indexOf('\n') + 1)), 'begin with the line'],
    ['is no YAML', changed((text) => `${text}<<<<<<< HEAD\n`), 'no valid YAML'],
    ['was cut', changed((text) => text.slice(0, text.indexOf('spec:') + 7)), 'has no metadata or no spec'],
    ['became a directory', replaced((file) => mkdirSync(file)), 'it is a link, a directory or a device'],
    [
      'became a link out of the directory',
      replaced((file) => symlinkSync('/etc/hostname', file)),
      'it is a link, a directory or a device',
    ],
  ])(
    'a manifest that %s holds its destination alone, and the hold names the file',
    async (_, damage, why) => {
      const { consul, create, read } = theRig();
      const [orders, billing] = [theRig().fresh('orders'), theRig().fresh('billing')];
      await create(orders, newSource('web'));
      await create(billing, newSource('web'));
      await fromResource(orders, 'web');
      const file = fileOf(orders);
      damage(file);
      const listed = await consul.intentions.list(never);
      const of = (name: string) => listed.find(({ destination }) => destination.name === name);
      const [broken, whole] = [of(orders), of(billing)];
      if (broken === undefined || whole === undefined) throw new Error('an entry is not listed');
      expect(entryBlock(whole)).toBeUndefined();
      expect(broken.sources.map(({ name }) => name)).toEqual(['web']);
      const detail = expect.stringContaining(why);
      expect(entryBlock(broken)).toEqual({ reason: 'ManagedElsewhere', detail });
      expect(entryBlock(broken)?.detail).toContain(intentionsFile(nameOf(orders)));
      expect(await read(orders)).toEqual(broken);
      expect(consul.manifests?.broken()).toEqual([detail]);
      const write = consul.intentions.write(nameOf(orders), broken, [], broken.modifyIndex, never);
      expect((await failureOf(write)).code).toBe('ERR_CONSUL_INCOMPLETE');
      await httpRig.request('DELETE', `/v1/config/service-intentions/${orders}`);
      const absent = await read(orders);
      expect([absent.sources, entryBlock(absent)?.reason]).toEqual([[], 'ManagedElsewhere']);
      rmSync(file, { recursive: true });
    },
  );
});

function changed(change: (text: string) => string): (file: string) => void {
  return (file) => writeFileSync(file, change(readFileSync(file, 'utf8')));
}

function replaced(make: (file: string) => unknown): (file: string) => void {
  return (file) => {
    rmSync(file);
    make(file);
  };
}
