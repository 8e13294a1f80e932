import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe } from 'vitest';
import { createCrdConsul } from '../../src/consul/crd/crd-consul.js';
import { intentionsFile } from '../../src/consul/crd/own-entries.js';
import { createEmbeddedConsul } from '../../src/embedded/consul/embedded-consul.js';
import { runtimeOf } from '../support/crd-rig.js';
import { type EntryRig, entryWrites } from './consul-port/entry-writes.js';
import { nameOf, never, requireWritten, startConsulRig } from './consul-port/rig.js';

describe('the intentions of the Consul port as manifests beside an embedded Consul', () => {
  let rig: EntryRig | undefined;
  let stop = async () => {};
  beforeAll(async () => {
    const base = await startConsulRig(async () => {
      const server = await createEmbeddedConsul({ defaultPolicy: 'deny', datacenter: 'dc1' });
      return { ...server, datacenter: 'dc1', stop: () => server.close() };
    });
    stop = () => base.stop();
    const directory = mkdtempSync(join(tmpdir(), 'scopemesh-crd-'));
    const consul = createCrdConsul(base.consul, runtimeOf(directory));
    const read: EntryRig['read'] = async (destination) => {
      const entry = await consul.intentions.read(nameOf(destination), never);
      if (entry === undefined) throw new Error(`there is no entry ${destination}`);
      return entry;
    };
    rig = {
      consul,
      read,
      fresh: base.fresh,
      setProtocol: base.setProtocol,
      rawEntryOf: async (destination) =>
        readFileSync(join(directory, intentionsFile(nameOf(destination))), 'utf8'),
      async create(destination, ...sources) {
        requireWritten(await consul.intentions.write(nameOf(destination), undefined, sources, 0, never));
        return (await read(destination)).modifyIndex;
      },
    };
  });
  afterAll(() => stop());
  entryWrites(() => {
    if (rig === undefined) throw new Error('the rig was not started');
    return rig;
  });
});
