import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { chmodSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { doubtsOf } from '../../../src/cli/commands/decisions-verify.js';
import { systemClock } from '../../../src/clock.js';
import { emptyChain, extendChain } from '../../../src/decisions/chain.js';
import { originOf, signCheckpoint } from '../../../src/decisions/checkpoint.js';
import { createEmbeddedDecisionLog } from '../../../src/decisions/embedded/embedded-decision-log.js';
import { openSigningKey, publicKeyPath } from '../../../src/decisions/signing-key.js';
import type { TrailReport } from '../../../src/decisions/verify-trail.js';
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
      const next = extendChain(head, decisions(count));
      head = next.head;
      await log.append(next.chained);
      await log.appendCheckpoint({
        id: `c-${head.tree.size}`,
        time: '2026-03-01T10:00:00.000Z',
        source: 'scopemesh/payments',
        log: 'one',
        note: signer === undefined ? '' : signCheckpoint(signer, originOf('payments', 'one'), head),
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
    const { head } = extendChain(emptyChain('one'), deleted);
    await log.appendCheckpoint({
      id: 'c',
      time: '2026-03-01T10:00:00.000Z',
      source: 'scopemesh/payments',
      log: 'one',
      note: signer === undefined ? '' : signCheckpoint(signer, originOf('payments', 'one'), head),
      tree: head.tree,
    });
    await log.append(extendChain(head, left).chained);
    await log.close();
    const verify = (piped: string) => cli.run(['decisions', 'verify', '--input', '-'], { piped });
    const { out } = await cli.run(['decisions', 'list', '--json']);
    expect(await verify(out)).toMatchObject({
      status: 0,
      out: expect.stringContaining('log one begins at decision 6'),
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

describe('the end of a log that no checkpoint signs', () => {
  const reportOf = (unsignedMs: number): TrailReport => ({
    decisions: 8,
    unchained: 0,
    checkpoints: 1,
    logs: [{ log: 'one', first: 1, last: 8, signed: 5, unsignedMs }],
  });

  it('is a doubt once it goes on for more than some minutes', () => {
    expect([...doubtsOf(reportOf(60_000), true, 0)]).toEqual([]);
    for (const unsignedMs of [600_000, Number.NaN])
      expect([...doubtsOf(reportOf(unsignedMs), true, 0)]).toEqual([
        expect.stringContaining('no checkpoint signs the last 3 decisions of log one'),
      ]);
  });

  it('keeps the evidence from being verified, which names what is signed, in files for their owner alone', async () => {
    const directory = join(cli.directory, 'state');
    const log = createEmbeddedDecisionLog({ directory, logger: silentLogger, clock: systemClock });
    const signer = openSigningKey({ owner: 'payments', directory, file: undefined, logger: silentLogger });
    const signed = extendChain(emptyChain('one'), decisions(8).slice(0, 5));
    await log.append(signed.chained);
    await log.appendCheckpoint({
      id: 'c',
      time: '2026-03-01T10:00:00.000Z',
      source: 'scopemesh/payments',
      log: 'one',
      note: signer === undefined ? '' : signCheckpoint(signer, originOf('payments', 'one'), signed.head),
      tree: signed.head.tree,
    });
    const out = join(cli.directory, 'evidence');
    const evidence = ['evidence', '--from', '2026-01-01T00:00:00Z', '--out', out, '--json'];
    expect((await cli.run(evidence)).json()).toMatchObject({ verified: true });
    expect(await cli.run([...evidence, '--to', '2025-12-31T00:00:00Z'])).toMatchObject({
      status: 1,
      err: expect.stringContaining('--from must be before --to'),
    });
    await log.append(extendChain(signed.head, decisions(8).slice(5)).chained);
    await log.close();
    chmodSync(join(out, 'report.html'), 0o644);
    expect((await cli.run(evidence)).json()).toMatchObject({ verified: false });
    expect(readFileSync(join(out, 'report.html'), 'utf8')).toContain(
      'decisions 1 to 5 of log one are signed, and 6 to 8 are not',
    );
    expect(statSync(join(out, 'report.html')).mode & 0o777).toBe(0o600);
    expect((await cli.run(['decisions', 'verify'])).out).toContain('3 decisions are unsigned');
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
