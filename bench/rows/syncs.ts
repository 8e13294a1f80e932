import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { OURS, type Row, type Sample, Skipped } from '../support/row.js';
import { openScene } from '../support/scene.js';
import { median } from '../support/statistics.js';
import { seenAt } from '../support/watch-entry.js';
import { ringWorld, scopeFor, serviceName } from '../support/world.js';

const DESTINATIONS = 50;
const EVENTS = 10;

/** How often one event waits for the disk: the system calls of the daemon, in their order. */
export const syncs: Row = {
  name: 'syncs',
  title: 'syncs to disk between one event and the PUT that follows from it, seen by strace',
  needs: ['consul'],
  figures: [
    { id: 'untilWrite', label: 'syncs between the event and its PUT', unit: '', targets: [{ atMost: 2 }] },
    { id: 'inAll', label: 'syncs of one event in all', unit: '' },
  ],
  open: async () => ({ contestants: new Map([[OURS, measure]]), close: async () => {} }),
};

const TRACE = 'trace=fsync,fdatasync,read,readv,recvfrom,recvmsg,write,writev,sendto,sendmsg';

async function measure(): Promise<Sample> {
  await promisify(execFile)('strace', ['-V']).catch(() => {
    throw new Skipped('there is no strace (Debian: apt-get install strace)');
  });
  const scene = await openScene(ringWorld(DESTINATIONS, 1));
  try {
    await scene.command('apply', '--yes');
    const traceFile = join(scene.directory, 'trace.txt');
    const daemon = await scene.startDaemon([
      'strace',
      '-f',
      '--seccomp-bpf',
      // Else it ignores the signal that ends it.
      '-I1',
      '-qq',
      '-s',
      '64',
      '-e',
      TRACE,
      '-o',
      traceFile,
    ]);
    await daemon.ready();
    await daemon.idle();
    for (let index = 0; index < EVENTS; index++) {
      const [source, called, gained] = [index, index + 1, index + 10].map(serviceName);
      if (source === undefined || called === undefined || gained === undefined) continue;
      const clientId = `${source}-app`;
      scene.idp.change(clientId, { scopes: [called, gained].map(scopeFor) });
      const seen = seenAt(scene.consul, gained, (sources) => sources.has(source));
      await scene.send(daemon, scene.idp.sign('client.updated', clientId));
      await seen;
      await daemon.idle();
    }
    await daemon.stop();
    return countSyncs(await readFile(traceFile, 'utf8'));
  } finally {
    await scene.close();
  }
}

/** The events come one after the other, so that the order of the calls says what belongs to which. */
export function countSyncs(trace: string): Sample {
  const untilWrite: number[] = [];
  const inAll: number[] = [];
  let syncs = 0;
  let isWritten = true;
  let isFirst = true;
  for (const line of trace.split('\n')) {
    if (/"POST \/events\//.test(line)) {
      if (!isFirst) inAll.push(syncs);
      isFirst = false;
      syncs = 0;
      isWritten = false;
    } else if (/\bf(data)?sync\(/.test(line)) syncs++;
    else if (!isWritten && /"PUT \/v1\/config/.test(line)) {
      untilWrite.push(syncs);
      isWritten = true;
    }
  }
  if (untilWrite.length === 0) throw new Error('the trace shows no PUT after an event');
  return { untilWrite: median(untilWrite), ...(inAll.length === 0 ? {} : { inAll: median(inAll) }) };
}
