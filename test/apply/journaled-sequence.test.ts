import { describe, expect, it } from 'vitest';
import { journaledSequence, type SequencedWrite } from '../../src/apply/journaled-sequence.js';
import { SyncError } from '../../src/errors.js';
import type { DraftDecision } from '../../src/model/decision.js';
import { createMovableClock } from '../support/movable-clock.js';

/** What happened, in its order. */
function rig() {
  const steps: string[] = [];
  const journal = {
    async record(_: string, drafts: readonly { readonly id: string }[], replaced: readonly string[] = []) {
      steps.push(
        drafts.length > 0
          ? `record ${drafts.map(({ id }) => id).join(' ')}`
          : `withdraw ${replaced.join(' ')}`,
      );
    },
    async settle(_: string, decisions: readonly { readonly id: string; readonly outcome: string }[]) {
      steps.push(`settle ${decisions.map(({ id, outcome }) => `${id} ${outcome}`).join(', ')}`);
    },
  };
  const quiet = () => {};
  const deps = {
    journal,
    clock: createMovableClock(),
    logger: { debug: quiet, info: quiet, warn: quiet, error: quiet },
    metrics: { count: quiet, gauge: quiet, time: quiet },
    onSettled: quiet,
  };
  const write = (id: string, end: () => 'made' | 'nothing'): SequencedWrite => ({
    draft: draft(id),
    lastApplied: new Map([[id, 'digest']]),
    run: async (sending) => {
      const what = end();
      if (what === 'nothing') return undefined;
      sending();
      steps.push(`write ${id}`);
      return { kind: 'written' };
    },
  });
  return { steps, deps, write };
}

function draft(id: string): DraftDecision {
  return {
    id,
    type: 'dev.scopemesh.acl-role.created',
    subject: id,
    source: 'scopemesh/test/1',
    action: 'grant',
    reason: 'ScopeGranted',
    resource: { kind: 'acl-role', name: id },
    scopes: [],
    cause: { kind: 'command', receivedAt: '2026-01-01T00:00:00.000Z' },
    before: null,
    after: null,
    mappingRevision: '1',
    expectedIndex: 0,
  };
}

const failing =
  (code: 'ERR_TIMEOUT' | 'ERR_CONSUL_CONFLICT' | 'ERR_CONSUL_REJECTED'): SequencedWrite['run'] =>
  async (sending) => {
    sending();
    throw new SyncError(code, 'no', { retriable: true });
  };

describe('a sequence of writes', () => {
  it('is recorded before its first write and settled after its last', async () => {
    const { steps, deps, write } = rig();
    await journaledSequence(
      'key',
      ['a', 'b'].map((id) => write(id, () => 'made')),
      deps,
    );
    expect(steps).toEqual(['record a b', 'write a', 'write b', 'settle a applied, b applied']);
  });

  it('withdraws what there was no need to send, without a decision', async () => {
    const { steps, deps, write } = rig();
    await journaledSequence('key', [write('a', () => 'nothing'), write('b', () => 'made')], deps);
    expect(steps).toEqual(['record a b', 'write b', 'settle b applied', 'withdraw a']);
  });

  it('ends at a refusal, and settles it', async () => {
    const { steps, deps, write } = rig();
    const refused = { ...write('b', () => 'made'), run: failing('ERR_CONSUL_REJECTED') };
    const writes = [write('a', () => 'made'), refused, write('c', () => 'made')];
    await expect(journaledSequence('key', writes, deps)).rejects.toMatchObject({
      code: 'ERR_CONSUL_REJECTED',
    });
    expect(steps).toEqual(['record a b c', 'write a', 'settle a applied, b failed', 'withdraw c']);
  });

  it('remembers the content of what was made, and of nothing else', async () => {
    const { deps, write } = rig();
    const updates: unknown[] = [];
    const settle = async (_: string, __: unknown, update: unknown) => void updates.push(update);
    const refused = { ...write('c', () => 'made'), run: failing('ERR_CONSUL_REJECTED') };
    const writes = [write('a', () => 'made'), write('b', () => 'nothing'), refused];
    const journal = { ...deps.journal, settle };
    await expect(journaledSequence('key', writes, { ...deps, journal })).rejects.toThrow('no');
    expect(updates).toEqual([{ lastApplied: new Map([['a', 'digest']]) }]);
  });

  it('says why a write failed, and nothing if another error leaves that open', async () => {
    const { deps, write } = rig();
    const settled: unknown[] = [];
    const settle = async (_: string, decisions: readonly unknown[]) => void settled.push(...decisions);
    const end = (run: SequencedWrite['run']) =>
      journaledSequence('key', [{ ...write('a', () => 'made'), run }], {
        ...deps,
        journal: { ...deps.journal, settle },
      });
    await expect(end(failing('ERR_CONSUL_CONFLICT'))).rejects.toThrow('no');
    await expect(end(failing('ERR_CONSUL_REJECTED'))).rejects.toThrow('no');
    const broken: SequencedWrite['run'] = async (sending) => {
      sending();
      throw new Error('a fault of scopemesh');
    };
    await expect(end(broken)).rejects.toThrow('a fault');
    expect(settled).toMatchObject([
      { outcome: 'failed', reason: 'Conflict', detail: 'no' },
      { outcome: 'failed', reason: 'ConsulRefused', detail: 'no' },
    ]);
  });

  it('leaves a write pending that may have happened', async () => {
    const { steps, deps, write } = rig();
    const doubtful = { ...write('a', () => 'made'), run: failing('ERR_TIMEOUT') };
    await expect(journaledSequence('key', [doubtful, write('b', () => 'made')], deps)).rejects.toMatchObject({
      code: 'ERR_TIMEOUT',
    });
    expect(steps).toEqual(['record a b', 'withdraw b']);
  });
});
