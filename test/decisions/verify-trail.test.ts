import { generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { type ChainHead, emptyChain, extendChain, toStoredText } from '../../src/decisions/chain.js';
import { originOf, signCheckpoint, toCheckpointEvent } from '../../src/decisions/checkpoint.js';
import { toCloudEvent } from '../../src/decisions/envelope.js';
import { createNoteSigner, createNoteVerifier } from '../../src/decisions/signed-note.js';
import { inChainOrder, type TrailRecord, toTrailRecord } from '../../src/decisions/trail-record.js';
import { decisions } from '../support/decisions.js';
import { logOf, pem, SIGNED_EVERY, type Stored, signer, verifier, withBit } from '../support/signed-log.js';
import { runsOf } from '../support/soak.js';
import { verifyTrail } from '../support/verify-trail.js';

const SIZE = 1_000;

const LOG = logOf(SIZE);
const RECORDS = new Map<Stored, TrailRecord>(LOG.map((event) => [event, toTrailRecord(event)]));
const toRecords = (events: readonly Stored[]) =>
  events.map((event) => RECORDS.get(event) ?? toTrailRecord(event));
const verify = (events: readonly Stored[]) => verifyTrail(toRecords(events), { verifiers: [verifier] });
const isDecision = (at: number) => !(LOG[at] ?? '').includes('checkpoint');
const somewhere = fc.nat(LOG.length - 1).filter(isDecision);

function withEvent(at: number, event: Stored): readonly Stored[] {
  return [...LOG.slice(0, at), event, ...LOG.slice(at + 1)];
}

/** The members of an object in the other order. */
function reversed(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).reverse());
}

describe('a log of 1,000 decisions', () => {
  it('is intact as it was written', () => {
    expect(verify(LOG)).toEqual({
      decisions: SIZE,
      unchained: 0,
      checkpoints: SIZE / SIGNED_EVERY,
      logs: [{ log: 'one', first: 1, last: SIZE, signed: SIZE }],
    });
  });

  it.each([
    ['a member twice', (event: string) => event.replace('{', '{"id":"forged",')],
    ['another escape', (event: string) => event.replace('"specversion"', '"\\u0073pecversion"')],
    ['white space', (event: string) => event.replace(',', ', ')],
  ])('is changed by %s, though the value stays the same', (_, write) => {
    const [event = ''] = LOG;
    const changed = write(event);
    expect(changed).not.toBe(event);
    expect(JSON.parse(changed)).toEqual(JSON.parse(event));
    expect(verify(LOG.with(0, changed)).fault).toMatchObject({ kind: 'changed', position: 1 });
  });

  it('tells how long its last decisions have been unsigned', () => {
    const tail = LOG.slice(0, -10);
    const [first, last] = [901, 991].map(
      (sequence) => JSON.parse(tail.filter((each) => !each.includes('checkpoint'))[sequence - 1] ?? '').time,
    );
    expect(verify(tail).logs).toMatchObject([
      { signed: 900, unsignedMs: Date.parse(last) - Date.parse(first) },
    ]);
    expect(verifyTrail(toRecords(tail)).logs[0]).not.toHaveProperty('unsignedMs');
  });

  it('is intact in another order of members too, as an earlier version or another program writes it', () => {
    const turned = LOG.map((event) => JSON.stringify(JSON.parse(event), (_, value) => reversed(value)));
    expect(turned[0]).not.toBe(LOG[0]);
    expect(verify(turned).fault).toBeUndefined();
    const changed = turned.with(5, (turned[5] ?? '').replace('ScopeRevoked', 'ScopeGranted'));
    expect(verify(changed).fault).toMatchObject({ kind: 'changed', sequence: 6 });
  });

  test('shows every change of a bit at its decision', () => {
    fc.assert(
      fc.property(somewhere, fc.nat(), fc.nat(7), (at, offset, bit) => {
        const changed = withBit(LOG[at] ?? '', offset, bit);
        const fault = verify(withEvent(at, offset % 2 === 0 ? changed : changed.toString())).fault;
        // A first decision that lost its chain looks older than the chain: then the second shows that number 1 is missing.
        if (at === 0 && fault?.kind === 'removed') expect(fault).toMatchObject({ position: 2, sequence: 1 });
        else expect(fault?.position).toBe(at + 1);
        expect(['changed', 'inserted', 'removed', 'moved', 'repeated']).toContain(fault?.kind);
      }),
      runsOf(300, 100),
    );
  });

  it('shows a byte that is not UTF-8 where a text shows the same sign', () => {
    const [one] = decisions(1);
    const [event = ''] = extendChain(
      emptyChain('one'),
      one === undefined ? [] : [{ ...one, detail: '\uFFFD' }],
    ).chained.map(toStoredText);
    const sign = Buffer.from('\uFFFD');
    const bytes = Buffer.from(event);
    const at = bytes.indexOf(sign);
    const changed = Buffer.concat([bytes.subarray(0, at), Buffer.of(0xff), bytes.subarray(at + sign.length)]);
    expect(changed.toString()).toBe(event);
    expect(verify([bytes]).fault).toBeUndefined();
    expect(verify([changed]).fault).toMatchObject({ kind: 'changed', position: 1 });
  });

  test('shows every deletion at the number that is missing', () => {
    fc.assert(
      fc.property(somewhere, (at) => {
        const { fault, decisions: count } = verify(LOG.toSpliced(at, 1));
        expect(fault).toMatchObject({ kind: 'removed', sequence: count + 1 });
      }),
      runsOf(100, 30),
    );
  });

  test('shows every repetition, insertion and swap', () => {
    const [foreign = ''] = logOf(1, 'other');
    fc.assert(
      fc.property(somewhere, somewhere, (from, to) => {
        const copied = verify(LOG.toSpliced(to, 0, LOG[from] ?? '')).fault;
        expect(copied?.kind).toBe('repeated');
        expect([to, to + 1]).toContain((copied?.position ?? 0) - 1);
        const inserted = verify(LOG.toSpliced(to, 0, foreign));
        // Before the first decision it looks like an earlier log, which nothing signs.
        if (to === 0) expect(inserted.logs[0]).toMatchObject({ log: 'other', signed: 0 });
        else expect(inserted.fault?.position).toBe(to + 2);
        if (from === to) return;
        const swapped = verify(LOG.with(from, LOG[to] ?? '').with(to, LOG[from] ?? '')).fault;
        expect(swapped).toMatchObject({ kind: 'moved', position: Math.min(from, to) + 1 });
      }),
      runsOf(100, 30),
    );
  });

  it('shows at the next checkpoint that somebody without the key wrote it again', () => {
    let head: ChainHead = emptyChain('one');
    const forged = LOG.map((event) => {
      if (event.includes('checkpoint')) return event;
      const { chain: _, ...data } = JSON.parse(event).data;
      const { specversion, datacontenttype, data: __, ...rest } = JSON.parse(event);
      const isTarget = head.tree.size === 549;
      const next = extendChain(head, [{ ...rest, ...data, ...(isTarget ? { action: 'grant' } : {}) }]);
      head = next.head;
      return JSON.stringify(toCloudEvent(next.chained[0] ?? rest));
    });
    expect(verify(forged).fault).toMatchObject({ kind: 'changed', sequence: 600 });
    const without = forged.filter((event) => !event.includes('checkpoint'));
    expect(verifyTrail(without.map(toTrailRecord)).fault).toBeUndefined();
    // Without any checkpoint nothing is signed.
    expect(verify(without).logs).toMatchObject([{ signed: 0 }]);
  });

  it('shows that its end was cut before a checkpoint, and not after the last one', () => {
    expect(verify(LOG.filter((_, at) => at < 900 || at === LOG.length - 1)).fault).toMatchObject({
      kind: 'removed',
    });
    expect(verify(LOG.slice(0, -10))).toMatchObject({ logs: [{ last: 991, signed: 900 }] });
  });

  it('is verified from a checkpoint on when what was before it is deleted', () => {
    const cut = LOG.slice(LOG.findIndex((event) => event.includes('checkpoint')));
    expect(verify(cut)).toMatchObject({ logs: [{ first: 101, last: SIZE, signed: SIZE }] });
    expect(verify(cut).fault).toBeUndefined();
    const changed = JSON.parse(cut[1] ?? '');
    changed.data.reason = 'ScopeGranted';
    expect(verify(cut.with(1, JSON.stringify(changed))).fault).toMatchObject({ sequence: 101 });
  });

  it('is put in order again when it comes from partitions', () => {
    const parts = [0, 1, 2].flatMap((part) => LOG.filter((_, at) => at % 3 === part));
    expect(verify(parts).fault).toBeDefined();
    expect(
      verifyTrail(
        inChainOrder(parts.map(toTrailRecord), (record) => record),
        { verifiers: [verifier] },
      ).fault,
    ).toBeUndefined();
  });

  it('accepts no checkpoint of another key, of another log, or with another size', () => {
    const other = String(generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }));
    const stranger = createNoteVerifier(createNoteSigner('scopemesh/payments', other).verifierKey);
    expect(verifyTrail(LOG.map(toTrailRecord), { verifiers: [stranger] }).fault).toMatchObject({
      kind: 'checkpoint',
      position: SIGNED_EVERY + 1,
    });
    const moved = LOG.with(SIGNED_EVERY, logOf(SIGNED_EVERY, 'two').at(-1) ?? '');
    expect(verify(moved).fault).toMatchObject({ kind: 'checkpoint' });
  });

  it('accepts no checkpoint behind a later decision, so that nobody can write the log again before it', () => {
    let head: ChainHead = emptyChain('one');
    const forged: string[] = [];
    let waiting: string | undefined;
    for (const event of LOG) {
      if (event.includes('checkpoint')) {
        waiting = event;
        continue;
      }
      const { chain: _, ...data } = JSON.parse(event).data;
      const { data: __, specversion: ___, datacontenttype: ____, ...rest } = JSON.parse(event);
      const next = extendChain(head, [
        { ...rest, ...data, ...(head.tree.size === 49 ? { action: 'grant' } : {}) },
      ]);
      head = next.head;
      forged.push(JSON.stringify(toCloudEvent(next.chained[0] ?? rest)));
      if (waiting !== undefined) forged.push(waiting);
      waiting = undefined;
    }
    expect(verify(forged).fault).toMatchObject({ kind: 'moved', sequence: SIGNED_EVERY });
  });

  it('is signed after the key was changed, with both keys', () => {
    const pems = [
      pem,
      String(generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' })),
    ];
    const signers = pems.map((each) => createNoteSigner('scopemesh/payments', each));
    const both = signers.map(({ verifierKey }) => createNoteVerifier(verifierKey));
    const head = extendChain(emptyChain('one'), decisions(1));
    const later = extendChain(head.head, decisions(1));
    const of = (signed: ChainHead, by: typeof signer) => {
      const note = signCheckpoint(by, originOf('payments', 'one'), signed);
      const { log, tree } = signed;
      return toCheckpointEvent({ id: 'c', time: '2026-03-01T10:00:00.000Z', source: 's', log, note, tree });
    };
    const events = [
      ...head.chained.map(toCloudEvent),
      of(head.head, signers[0] ?? signer),
      ...later.chained.map(toCloudEvent),
      of(later.head, signers[1] ?? signer),
    ].map((event) => toTrailRecord(JSON.stringify(event)));
    expect(verifyTrail(events, { verifiers: both })).toMatchObject({ checkpoints: 2, logs: [{ signed: 2 }] });
    expect(verifyTrail(events, { verifiers: both.slice(1) }).fault).toMatchObject({ kind: 'checkpoint' });
  });

  it('accepts no checkpoint of another owner who has the same key', () => {
    const other = createNoteSigner('scopemesh/other', pem);
    const { head, chained } = extendChain(emptyChain('one'), decisions(1));
    const note = signCheckpoint(other, originOf('payments', 'one'), head);
    const { log, tree } = head;
    const stored = { id: 'c', time: '2026-03-01T10:00:00.000Z', source: 's', log, note, tree };
    const events = [...chained.map(toCloudEvent), toCheckpointEvent(stored)];
    const records = events.map((event) => toTrailRecord(JSON.stringify(event)));
    const verifiers = [createNoteVerifier(other.verifierKey)];
    expect(verifyTrail(records, { verifiers }).fault).toMatchObject({ kind: 'checkpoint' });
  });

  it('goes on in another log after its store was lost', () => {
    expect(verify([...LOG, ...logOf(5, 'two')])).toMatchObject({
      logs: [
        { log: 'one', last: SIZE },
        { log: 'two', first: 1, last: 5, signed: 0 },
      ],
    });
  });

  it('counts decisions that are older than the chain', () => {
    const old = decisions(3).map((each) => JSON.stringify(toCloudEvent(each)));
    expect(verify([...old, ...LOG])).toMatchObject({ unchained: 3, decisions: SIZE });
    expect(verify([...LOG, ...old]).fault).toMatchObject({ kind: 'inserted' });
  });
});
