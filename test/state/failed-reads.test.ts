import { describe, expect, it } from 'vitest';
import { FailedReads, inabilityOf } from '../../src/state/failed-reads.js';

const consul = { kind: 'consul' } as const;
const provider = (name: string) => ({ kind: 'provider', name }) as const;

describe('failed reads', () => {
  it('are news after half a minute, by the first failure that no success ended', () => {
    const reads = new FailedReads();
    reads.failed(consul, 'comparison', 'away', 0);
    reads.failed(consul, 'comparison', 'still away', 29_999);
    expect(reads.unread(29_999)).toEqual([]);
    expect(reads.unread(30_000)).toEqual([{ side: 'consul', seconds: 30, why: 'still away' }]);
    reads.succeeded(consul, 'comparison');
    reads.failed(consul, 'comparison', 'away', 31_000);
    expect(reads.unread(60_000)).toEqual([]);
  });

  it('of one list do not end with the success of another', () => {
    const reads = new FailedReads();
    reads.failed(consul, 'intentions', 'too long', 0);
    reads.failed(consul, 'catalog', 'away', 5_000);
    reads.succeeded(consul, 'catalog');
    expect(reads.unread(40_000)).toEqual([{ side: 'consul', seconds: 40, why: 'too long' }]);
  });

  it('keep a leader from working if they are of Consul, or of every provider', () => {
    const reads = new FailedReads();
    reads.failed(provider('a'), 'directory', 'away', 0);
    expect(inabilityOf(reads, ['a', 'b'], 60_000)).toBeUndefined();
    expect(inabilityOf(reads, ['a'], 60_000)).toBe(
      'this replica leads and cannot read provider/a for 60 s; /statusz says why',
    );
    reads.failed(provider('b'), 'directory', 'away', 50_000);
    expect(inabilityOf(reads, ['a', 'b'], 60_000)).toBeUndefined();
    expect(inabilityOf(reads, ['a', 'b'], 80_000)).toContain('provider/a');
    reads.failed(consul, 'first read', 'away', 60_000);
    expect(inabilityOf(reads, ['a', 'b'], 90_000)).toContain('cannot read consul for 30 s');
  });
});
