import { generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { extendSigned } from '../../src/decisions/batch-proof.js';
import { type ChainHead, emptyChain, extendChain, toStoredText } from '../../src/decisions/chain.js';
import {
  type KeptCheckpoint,
  openKept,
  originOf,
  parseCheckpointEvent,
  signCheckpoint,
  toCheckpointEvent,
} from '../../src/decisions/checkpoint.js';
import { toCloudEvent } from '../../src/decisions/envelope.js';
import { createNoteSigner, createNoteVerifier } from '../../src/decisions/signed-note.js';
import { inChainOrder, type TrailRecord, toTrailRecord } from '../../src/decisions/trail-record.js';
import { decisions } from '../support/decisions.js';
import {
  beginningOf,
  chained,
  logOf,
  pem,
  SIGNED_EVERY,
  type Stored,
  signer,
  stranger,
  verifier,
  withBit,
} from '../support/signed-log.js';
import { runsOf } from '../support/soak.js';
import { verifyTrail } from '../support/verify-trail.js';

const SIZE = 300;

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

describe('a log of 300 decisions', () => {
  it('is intact as it was written', () => {
    expect(verify(LOG)).toEqual({
      decisions: SIZE,
      unproven: 0,
      checkpoints: SIZE / SIGNED_EVERY + 1,
      logs: [{ log: 'one', first: 1, last: SIZE }],
    });
  });

  it.each([
    ['a member twice', (event: string) => event.replace('{', '{"id":"forged",')],
    ['another escape', (event: string) => event.replace('"specversion"', '"\\u0073pecversion"')],
    ['white space', (event: string) => event.replace(',', ', ')],
  ])('is changed by %s, though the value stays the same', (_, write) => {
    const [, event = ''] = LOG;
    const changed = write(event);
    expect(changed).not.toBe(event);
    expect(JSON.parse(changed)).toEqual(JSON.parse(event));
    expect(verify(LOG.with(1, changed)).fault).toMatchObject({ kind: 'changed', position: 2 });
  });

  it('is intact in another order of members too, as an earlier version or another program writes it', () => {
    const turned = LOG.map((event) => JSON.stringify(JSON.parse(event), (_, value) => reversed(value)));
    expect(turned[0]).not.toBe(LOG[0]);
    expect(verify(turned).fault).toBeUndefined();
    const changed = turned.with(6, (turned[6] ?? '').replace('ScopeRevoked', 'ScopeGranted'));
    expect(verify(changed).fault).toMatchObject({ kind: 'changed', sequence: 6 });
  });

  test('shows every change of a bit at its decision', () => {
    fc.assert(
      fc.property(somewhere, fc.nat(), fc.nat(7), (at, offset, bit) => {
        const changed = withBit(LOG[at] ?? '', offset, bit);
        const fault = verify(withEvent(at, offset % 2 === 0 ? changed : changed.toString())).fault;
        expect(fault?.position).toBe(at + 1);
        expect(['changed', 'inserted', 'removed', 'moved', 'repeated', 'unsigned']).toContain(fault?.kind);
      }),
      runsOf(300, 60),
    );
  });

  it('shows a byte that is not UTF-8 where a text shows the same sign', () => {
    const [one] = decisions(1);
    const [event = ''] = chained(one === undefined ? [] : [{ ...one, detail: '\uFFFD' }]).map(toStoredText);
    const sign = Buffer.from('\uFFFD');
    const bytes = Buffer.from(event);
    const at = bytes.indexOf(sign);
    const changed = Buffer.concat([bytes.subarray(0, at), Buffer.of(0xff), bytes.subarray(at + sign.length)]);
    expect(changed.toString()).toBe(event);
    const begin = beginningOf('one');
    expect(verify([begin, bytes]).fault).toBeUndefined();
    expect(verify([begin, changed]).fault).toMatchObject({ kind: 'changed', position: 2 });
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
    const [, foreign = ''] = logOf(1, 'other');
    fc.assert(
      fc.property(somewhere, somewhere, (from, to) => {
        const copied = verify(LOG.toSpliced(to, 0, LOG[from] ?? '')).fault;
        expect(copied?.kind).toBe('repeated');
        expect([to, to + 1]).toContain((copied?.position ?? 0) - 1);
        const inserted = verify(LOG.toSpliced(to, 0, foreign));
        // The decision of another log, whose beginning is not before it.
        expect(inserted.fault?.position).toBe(to + 1);
        if (from === to) return;
        const swapped = verify(LOG.with(from, LOG[to] ?? '').with(to, LOG[from] ?? '')).fault;
        expect(swapped).toMatchObject({ kind: 'moved', position: Math.min(from, to) + 1 });
      }),
      runsOf(100, 30),
    );
  });

  it('shows at the first other decision that somebody without the key wrote it again', () => {
    let head: ChainHead = emptyChain('one');
    const forged = LOG.map((event) => {
      if (event.includes('checkpoint')) return event;
      const { chain: _, ...data } = JSON.parse(event).data;
      const { specversion, datacontenttype, data: __, ...rest } = JSON.parse(event);
      const isTarget = head.tree.size === 149;
      const next = extendChain(head, [{ ...rest, ...data, ...(isTarget ? { action: 'grant' } : {}) }]);
      head = next.head;
      return JSON.stringify(toCloudEvent(next.chained[0] ?? rest));
    });
    expect(verify(forged).fault).toMatchObject({ kind: 'unsigned', sequence: 1 });
    // Without a key only the checkpoint shows it.
    expect(verifyTrail(forged.map(toTrailRecord)).fault).toMatchObject({ kind: 'changed', sequence: 200 });
    const without = forged.filter((event, at) => at === 0 || !event.includes('checkpoint'));
    expect(verifyTrail(without.map(toTrailRecord)).fault).toBeUndefined();
  });

  it('shows that its end was cut before a checkpoint, and not after the last one', () => {
    expect(verify(LOG.filter((_, at) => at < 200 || at === LOG.length - 1)).fault).toMatchObject({
      kind: 'removed',
    });
    expect(verify(LOG.slice(0, -10))).toMatchObject({ logs: [{ last: 291 }] });
  });

  it('is verified from a checkpoint on when what was before it is deleted', () => {
    const cut = LOG.slice(LOG.findIndex((event, at) => at > 0 && event.includes('checkpoint')));
    expect(verify(cut)).toMatchObject({ logs: [{ first: 101, last: SIZE }] });
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

  it('accepts no old note beside the roots of a log that was written again', () => {
    const again = decisions(SIGNED_EVERY).map((each, at) =>
      at === 49 ? { ...each, detail: 'another' } : each,
    );
    const { head, chained: all } = extendSigned(emptyChain('one'), again, signer);
    const { note = '' } = parseCheckpointEvent(JSON.parse(LOG[SIGNED_EVERY + 1] ?? '')) ?? {};
    const time = '2026-03-01T10:00:00.000Z';
    const checkpoint = toCheckpointEvent({ id: 'c', time, source: 's', log: 'one', note, tree: head.tree });
    const events = [LOG[0] ?? '', ...all.map(toStoredText), JSON.stringify(checkpoint)];
    expect(verify(events.slice(0, -1)).fault).toBeUndefined();
    expect(verify(events).fault).toMatchObject({
      kind: 'checkpoint',
      detail: 'the checkpoint does not say what its signature covers',
    });
    // The roots that the note does sign are not those of these decisions, which shows without a key too.
    const old = [...events.slice(0, -1), LOG[SIGNED_EVERY + 1] ?? ''];
    expect(verifyTrail(old.map(toTrailRecord)).fault).toMatchObject({ kind: 'changed', sequence: 100 });
  });

  it('accepts no checkpoint of another key, of another log, or with another size', () => {
    const other = createNoteVerifier(stranger.verifierKey);
    expect(verifyTrail(LOG.map(toTrailRecord), { verifiers: [other] }).fault).toMatchObject({
      kind: 'checkpoint',
      position: 1,
    });
    const moved = LOG.with(SIGNED_EVERY + 1, logOf(SIGNED_EVERY, 'two').at(-1) ?? '');
    expect(verify(moved).fault).toMatchObject({ kind: 'checkpoint' });
  });

  it('accepts no checkpoint behind a later decision, so that nobody can write the log again before it', () => {
    let head: ChainHead = emptyChain('one');
    const forged: string[] = [];
    let waiting: string | undefined;
    for (const event of LOG.slice(1)) {
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
    const records = [LOG[0] ?? '', ...forged].map(toTrailRecord);
    expect(verifyTrail(records).fault).toMatchObject({ kind: 'moved', sequence: SIGNED_EVERY });
  });

  it('is signed after the key was changed, with both keys', () => {
    const pems = [
      pem,
      String(generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' })),
    ];
    const signers = pems.map((each) => createNoteSigner('scopemesh/payments', each));
    const both = signers.map(({ verifierKey }) => createNoteVerifier(verifierKey));
    const head = extendSigned(emptyChain('one'), decisions(1), signers[0] ?? signer);
    const later = extendSigned(head.head, decisions(1), signers[1] ?? signer);
    const of = (signed: ChainHead, by: typeof signer) => {
      const note = signCheckpoint(by, originOf('payments', 'one'), signed);
      const { log, tree } = signed;
      return toCheckpointEvent({ id: 'c', time: '2026-03-01T10:00:00.000Z', source: 's', log, note, tree });
    };
    const events = [
      JSON.parse(beginningOf('one')),
      ...head.chained.map(toCloudEvent),
      of(head.head, signers[0] ?? signer),
      ...later.chained.map(toCloudEvent),
      of(later.head, signers[1] ?? signer),
    ].map((event) => toTrailRecord(JSON.stringify(event)));
    expect(verifyTrail(events, { verifiers: both })).toMatchObject({ checkpoints: 3, logs: [{ last: 2 }] });
    expect(verifyTrail(events, { verifiers: both }).fault).toBeUndefined();
    expect(verifyTrail(events, { verifiers: both.slice(0, 1) }).fault).toMatchObject({
      kind: 'unsigned',
      sequence: 2,
    });
  });

  it('accepts no checkpoint of another owner who has the same key', () => {
    const other = createNoteSigner('scopemesh/other', pem);
    const { head, chained: all } = extendChain(emptyChain('one'), decisions(1));
    const begin = JSON.parse(beginningOf('one'));
    const note = signCheckpoint(other, originOf('payments', 'one'), head);
    const { log, tree } = head;
    const stored = { id: 'c', time: '2026-03-01T10:00:00.000Z', source: 's', log, note, tree };
    const events = [begin, ...all.map(toCloudEvent), toCheckpointEvent(stored)];
    const records = events.map((event) => toTrailRecord(JSON.stringify(event)));
    const verifiers = [createNoteVerifier(other.verifierKey)];
    expect(verifyTrail(records, { verifiers }).fault).toMatchObject({ kind: 'checkpoint' });
  });
});

describe('several logs of one owner', () => {
  const one = logOf(30, 'one');
  const two = logOf(5, 'two', { log: 'one', size: 25 });
  const three = logOf(3, 'three', { log: 'two', size: 5 });
  const kindOf = (events: readonly Stored[]) => verify(events).fault?.kind;

  it('follow each other after a store was lost', () => {
    expect(verify([...one, ...two, ...three])).toMatchObject({
      logs: [
        { log: 'one', last: 30 },
        { log: 'two', first: 1, last: 5, follows: { log: 'one', size: 25 } },
        { log: 'three', last: 3 },
      ],
    });
    expect(kindOf([...one, ...two, ...three])).toBeUndefined();
    // What is before them was deleted by age.
    expect(kindOf([...two, ...three])).toBeUndefined();
  });

  it.each([
    ['in another order', [...two, ...one], 'moved'],
    ['in another order, without the beginning of the older one', [...two, ...one.slice(1)], 'removed'],
    ['with an old one again', [...one, ...two, ...one], 'checkpoint'],
    ['without one of them', [...one, ...three], 'removed'],
    ['without the end of an older one', [...one.slice(0, 20), ...two], 'removed'],
    ['with two that say they are the first', [...one, ...logOf(2, 'other')], 'moved'],
    ['with one that has no beginning', [...one, ...two.slice(1)], 'removed'],
  ])('are not intact %s', (_, events, kind) => {
    expect(kindOf(events)).toBe(kind);
  });

  it('are not intact with an old one whose note has another spelling', () => {
    const { data, ...event } = JSON.parse(one[0] ?? '');
    for (const line of ['\u2014 somebody AAAA', 'after two 5']) {
      const respelled = JSON.stringify({ ...event, data: { ...data, note: `${data.note}${line}\n` } });
      expect(kindOf([...one, ...two, respelled, ...one.slice(1)])).toBe('checkpoint');
    }
  });

  it('may begin with the same note by another key, as after a crash of the replica that wrote it', () => {
    const other = createNoteVerifier(stranger.verifierKey);
    const again = beginningOf('one', undefined, stranger);
    const records = [one[0] ?? '', again, ...one.slice(1)].map(toTrailRecord);
    expect(verifyTrail(records, { verifiers: [verifier, other] })).toMatchObject({ logs: [{ last: 30 }] });
    expect(verifyTrail(records, { verifiers: [verifier, other] }).fault).toBeUndefined();
  });

  it('lack nothing of what a checkpoint signs that was kept elsewhere', () => {
    const records = [...one, ...two].map(toTrailRecord);
    const kept = (events: readonly Stored[]) => {
      const found = parseCheckpointEvent(JSON.parse(String(events.at(-1))));
      return openKept([verifier], found?.note ?? '');
    };
    const kindWith = (checkpoint: KeptCheckpoint | undefined) =>
      verifyTrail(records, { verifiers: [verifier], kept: checkpoint }).fault;
    const signed = logOf(SIGNED_EVERY, 'one');
    expect(kindWith(kept(signed))).toMatchObject({ kind: 'removed', sequence: 31 });
    expect(kindWith(kept([beginningOf('three')]))).toMatchObject({ kind: 'removed', sequence: 1 });
    expect(kindWith({ log: 'two', size: 5, root: Buffer.alloc(32) })).toMatchObject({
      kind: 'changed',
      sequence: 5,
    });
    expect(kindWith(kept([beginningOf('two')]))).toBeUndefined();
    expect(openKept([createNoteVerifier(stranger.verifierKey)], beginningNote)).toBeUndefined();
  });
});

const beginningNote = String(parseCheckpointEvent(JSON.parse(beginningOf('one')))?.note);
