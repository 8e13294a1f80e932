import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { chmodSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/clock.js';
import { extendSigned } from '../../../src/decisions/batch-proof.js';
import { type ChainHead, emptyChain, extendChain } from '../../../src/decisions/chain.js';
import { originOf, signBeginning, signCheckpoint } from '../../../src/decisions/checkpoint.js';
import { createEmbeddedDecisionLog } from '../../../src/decisions/embedded/embedded-decision-log.js';
import { openSigningKey, publicKeyPath } from '../../../src/decisions/signing-key.js';
import { noMetrics, silentLogger } from '../../../src/observe.js';
import { type CommandLine, createCommandLine } from '../../support/command-line.js';
import { decisions } from '../../support/decisions.js';

let cli: CommandLine;

beforeEach(() => {
  // No command here asks Consul anything.
  cli = createCommandLine({ consul: { address: 'http://127.0.0.1:9', managementToken: 'unused' } });
});
afterEach(() => cli.close());

describe('decisions without a log', () => {
  it('list says only on stderr that there are none, and names the directory', async () => {
    const state = join(cli.directory, 'state');
    expect(await cli.run(['decisions', 'list', '--json'])).toMatchObject({
      status: 0,
      out: '',
      err: `there are no decisions yet in ${state} (state.directory)\n`,
    });
    expect(existsSync(state)).toBe(false);
  });

  it('tail says so too, and continues', async () => {
    const stop = AbortSignal.abort(new Error('stopped by a signal'));
    const { status, err } = await cli.run(['decisions', 'tail'], { signal: stop });
    expect([status, err]).toEqual([0, expect.stringContaining('no decisions yet in ')]);
  });

  it('are an error if the state directory is a file', async () => {
    const file = join(cli.directory, 'file');
    writeFileSync(file, '');
    cli.configure({ state: { directory: file } });
    for (const command of ['list', 'tail', 'verify']) {
      const { status, err } = await cli.run(['decisions', command]);
      expect([status, err]).toEqual([
        1,
        expect.stringContaining(`state.directory ${file} is not a directory; set`),
      ]);
    }
  });
});

describe('decisions verify of a file that cannot be read', () => {
  it.each(['nope', ''])('names the option, the file and the remedy: "%s"', async (name) => {
    const path = join(cli.directory, name);
    const { status, err } = await cli.run(['decisions', 'verify', '--input', path]);
    expect([status, err]).toEqual([
      1,
      expect.stringContaining(`scopemesh: --input ${path} cannot be read (`),
    ]);
    expect(err).toContain('give a file that scopemesh decisions export wrote');
  });
});

describe('decisions beside a configuration file that is wrong', () => {
  const state = () => join(cli.directory, 'state');

  it.each(['list', 'verify'])(
    '%s works with what the file says of owner, decisions and state',
    async (name) => {
      cli.configure({ scopes: { 'orders:read': { too: 'orders' } }, providers: [] });
      const { out, err } = await cli.run(['decisions', name]);
      expect(out).toBe('');
      expect(err).toContain('scopes."orders:read".too');
      expect(err).toContain('uses only owner, decisions and state from it');
      expect(err).toContain(`no decisions yet in ${state()}`);
      expect(err).not.toContain('scopemesh doctor');
    },
  );

  it('exits 0 for list, and 1 where one of those three is wrong too', async () => {
    cli.configure({ scopes: 7 });
    expect((await cli.run(['decisions', 'list'])).status).toBe(0);
    cli.configure({ scopes: 7, decisions: { kind: 'kafka' } });
    expect(await cli.run(['decisions', 'list'])).toMatchObject({
      status: 1,
      err: expect.stringContaining('decisions.brokers'),
    });
    writeFileSync(cli.configFile, 'owner: [');
    expect((await cli.run(['decisions', 'list'])).status).toBe(1);
  });
});

describe('a checkpoint that an auditor kept', () => {
  it('is shown to be the beginning of the log later, by a proof that needs no log', async () => {
    const directory = join(cli.directory, 'state');
    const runtime = { logger: silentLogger, metrics: noMetrics, clock: systemClock };
    const log = createEmbeddedDecisionLog({ directory, ...runtime });
    const signer = openSigningKey({ owner: 'payments', directory, file: undefined, logger: silentLogger });
    let head = emptyChain('one');
    const grow = async (count: number) => {
      const next = extendSigned(head, decisions(count), signer);
      head = next.head;
      await log.append(next.chained);
      await log.appendCheckpoint({
        id: `c-${head.tree.size}`,
        time: '2026-03-01T10:00:00.000Z',
        source: 'scopemesh/payments',
        log: 'one',
        note: signCheckpoint(signer, originOf('payments', 'one'), head),
        tree: head.tree,
      });
    };
    const file = (name: string) => join(cli.directory, name);
    await grow(5);
    writeFileSync(file('kept.txt'), (await cli.run(['decisions', 'checkpoint'])).out);
    await grow(3);
    await log.close();
    const { out } = await cli.run(['decisions', 'prove', '--extends', file('kept.txt')]);
    writeFileSync(file('proof.json'), out);
    const verify = ['decisions', 'verify', '--proof', file('proof.json'), '--key', publicKeyPath(directory)];
    expect(await cli.run([...verify, '--checkpoint', file('kept.txt')])).toMatchObject({
      status: 0,
      out: 'log one of 8 signed decisions begins with the 5 that your checkpoint signs\n',
    });
    writeFileSync(file('other.txt'), (await cli.run(['decisions', 'checkpoint'])).out);
    expect(await cli.run([...verify, '--checkpoint', file('other.txt')])).toMatchObject({
      status: 5,
      out: expect.stringContaining('BROKEN'),
    });
    expect(await cli.run(verify)).toMatchObject({
      status: 1,
      err: expect.stringContaining('--checkpoint FILE'),
    });
    expect((await cli.run(['decisions', 'prove'])).err).toContain('give either the ID');

    const [witness, stranger] = [createTestWitness('w.example/1'), createTestWitness('w.example/2')];
    for (const each of [witness, stranger]) writeFileSync(file(`${each.name.at(-1)}.pub`), `${each.key}\n`);
    writeFileSync(
      file('cosigned.txt'),
      witness.cosign(readFileSync(file('kept.txt'), 'utf8'), 1_700_000_000),
    );
    const witnessed = [...verify, '--checkpoint', file('cosigned.txt'), '--witness', file('1.pub')];
    expect(await cli.run(witnessed)).toMatchObject({
      status: 0,
      out: 'log one of 8 signed decisions begins with the 5 that your checkpoint signs; witness w.example/1 cosigned it at 2023-11-14T22:13:20.000Z\n',
    });
    expect((await cli.run([...witnessed, '--json'])).json()).toMatchObject({
      verified: true,
      witnesses: [{ witness: 'w.example/1', at: '2023-11-14T22:13:20.000Z' }],
    });
    expect(await cli.run([...witnessed, file('2.pub')])).toMatchObject({
      status: 5,
      out: 'BROKEN: the checkpoint has no valid cosignature of w.example/2\n',
    });
    expect(await cli.run(['decisions', 'verify', '--witness', file('1.pub')])).toMatchObject({
      status: 1,
      err: expect.stringContaining('--proof FILE --checkpoint FILE'),
    });
  });
});

describe('a list of decisions as lines', () => {
  it('begins with the checkpoint of a log whose beginning was deleted, so that verify can check it', async () => {
    const directory = join(cli.directory, 'state');
    const log = createEmbeddedDecisionLog({ directory, logger: silentLogger, clock: systemClock });
    const signer = openSigningKey({ owner: 'payments', directory, file: undefined, logger: silentLogger });
    const [deleted, left] = [decisions(8).slice(0, 5), decisions(8).slice(5)];
    const { head } = extendSigned(emptyChain('one'), deleted, signer);
    await log.appendCheckpoint({
      id: 'c',
      time: '2026-03-01T10:00:00.000Z',
      source: 'scopemesh/payments',
      log: 'one',
      note: signCheckpoint(signer, originOf('payments', 'one'), head),
      tree: head.tree,
    });
    await log.append(extendSigned(head, left, signer).chained);
    await log.close();
    const verify = (piped: string) => cli.run(['decisions', 'verify', '--input', '-'], { piped });
    const { out } = await cli.run(['decisions', 'list', '--json']);
    expect(await verify(out)).toMatchObject({
      status: 0,
      out: expect.stringContaining('log one is not the whole beginning'),
    });
    // Without the checkpoint nothing tells it from a log whose first decisions somebody removed.
    for (const lines of [
      out.split('\n').slice(1).join('\n'),
      (await cli.run(['decisions', 'list', '--json', '-n', '1'])).out,
    ])
      expect(await verify(lines)).toMatchObject({
        status: 5,
        out: expect.stringContaining('BROKEN'),
        err: expect.stringContaining(
          'a list made with -n, --since, --subject or another filter lacks decisions',
        ),
      });
  });
});

describe('the evidence', () => {
  it('has the signed decisions of its period, which verify accepts, in files for their owner alone', async () => {
    const directory = join(cli.directory, 'state');
    const log = createEmbeddedDecisionLog({ directory, logger: silentLogger, clock: systemClock });
    const signer = openSigningKey({ owner: 'payments', directory, file: undefined, logger: silentLogger });
    const all = decisions(9).map((each, at) => ({
      ...each,
      ...(at === 4 ? { resource: { kind: 'sweep' as const }, subject: 'sweep/all' } : {}),
      time: `2026-03-0${at + 1}T10:00:00.000Z`,
    }));
    const note = (head: ChainHead, time: string) => ({
      id: `c-${head.tree.size}`,
      time,
      source: 'scopemesh/payments',
      log: 'one',
      note:
        head.tree.size === 0
          ? signBeginning(signer, originOf('payments', 'one'), undefined)
          : signCheckpoint(signer, originOf('payments', 'one'), head),
      tree: head.tree,
    });
    await log.appendCheckpoint(note(emptyChain('one'), '2026-03-01T09:00:00.000Z'));
    const first = extendSigned(emptyChain('one'), all.slice(0, 3), signer);
    await log.append(first.chained);
    await log.appendCheckpoint(note(first.head, '2026-03-03T10:00:01.000Z'));
    await log.append(extendSigned(first.head, all.slice(3), signer).chained);
    const out = join(cli.directory, 'evidence');
    const evidence = ['evidence', '--out', out, '--json'];
    const file = join(out, 'decisions.jsonl');
    const verify = ['decisions', 'verify', '--input', file, '--key', publicKeyPath(directory), '--json'];
    const period = ['--from', '2026-03-05T00:00:00Z', '--to', '2026-03-07T12:00:00Z'];
    // A log that was read in part must not look like one that is not proven.
    const stop = AbortSignal.abort(new Error('stopped by a signal'));
    expect((await cli.run([...evidence, ...period], { signal: stop })).status).toBe(1);
    expect(existsSync(out)).toBe(false);
    expect((await cli.run([...evidence, ...period])).json()).toMatchObject({ verified: true });
    expect((await cli.run(verify)).json()).toMatchObject({ verified: true, logs: [{ first: 4, last: 7 }] });
    expect((await cli.run([...evidence, '--from', '2026-01-01T00:00:00Z'])).json()).toMatchObject({
      verified: true,
    });
    expect((await cli.run(verify)).json()).toMatchObject({ verified: true, decisions: 9, checkpoints: 2 });
    expect(readFileSync(join(out, 'report.html'), 'utf8')).toContain(
      'scopemesh decisions verify --input decisions.jsonl --key trail-key.pub',
    );
    expect(
      await cli.run([...evidence, '--from', '2026-01-01T00:00:00Z', '--to', '2025-12-31T00:00:00Z']),
    ).toMatchObject({
      status: 1,
      err: expect.stringContaining('--from must be before --to'),
    });
    chmodSync(join(out, 'report.html'), 0o644);
    await log.append(extendChain(first.head, decisions(1)).chained);
    await log.close();
    expect((await cli.run([...evidence, '--from', '2026-01-01T00:00:00Z'])).json()).toMatchObject({
      verified: false,
    });
    expect(readFileSync(join(out, 'report.html'), 'utf8')).toContain('BROKEN at event 12: repeated');
    expect(statSync(join(out, 'report.html')).mode & 0o777).toBe(0o600);
  });
});

/** A witness by the letter of tlog-cosignature, with no code of scopemesh. */
function createTestWitness(name: string) {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const bytes = Buffer.concat([
    Buffer.of(4),
    publicKey.export({ type: 'spki', format: 'der' }).subarray(-32),
  ]);
  const hash = createHash('sha256').update(`${name}\n`).update(bytes).digest().subarray(0, 4);
  return {
    name,
    key: `${name}+${hash.toString('hex')}+${bytes.toString('base64')}`,
    cosign(note: string, seconds: number): string {
      const text = note.slice(0, note.lastIndexOf('\n\n') + 1);
      const time = Buffer.alloc(8);
      time.writeBigUInt64BE(BigInt(seconds));
      const signature = sign(null, Buffer.from(`cosignature/v1\ntime ${seconds}\n${text}`), privateKey);
      return `${note}\u2014 ${name} ${Buffer.concat([hash, time, signature]).toString('base64')}\n`;
    },
  };
}
