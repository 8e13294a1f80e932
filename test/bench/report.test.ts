import { describe, expect, it } from 'vitest';
import { countSyncs } from '../../bench/rows/syncs.js';
import { numberText, tableOf } from '../../bench/support/report.js';
import { LIMIT, OURS, type Row, Skipped } from '../../bench/support/row.js';
import { judge, runRow } from '../../bench/support/runner.js';
import { median, quantile } from '../../bench/support/statistics.js';

describe('the statistics of the bench', () => {
  it('take the mean of the two samples in the middle as the median of an even number', () => {
    expect(median([4, 1, 3])).toBe(3);
    expect(median([4, 1, 3, 2])).toBe(2.5);
  });

  it('take a sample as quantile, never something between two', () => {
    const samples = Array.from({ length: 100 }, (_, at) => at + 1);
    expect(quantile(samples, 0.5)).toBe(50);
    expect(quantile(samples, 0.99)).toBe(99);
    expect(quantile([7], 0.99)).toBe(7);
  });
});

describe('the verdict of the bench', () => {
  const figure = { id: 'rate', label: 'rate', unit: '/s', targets: [{ against: LIMIT, atLeast: 0.6 }] };

  it('uses the ratio within each repetition, not the ratio of the medians', () => {
    const samples = new Map([
      [OURS, [{ rate: 50 }, { rate: 90 }, { rate: 30 }]],
      [LIMIT, [{ rate: 100 }, { rate: 100 }, { rate: 30 }]],
    ]);
    const { ratios, targets } = judge(figure, samples);
    expect(ratios[LIMIT]).toBe(0.9);
    expect(targets[0]?.isMet).toBe(true);
  });

  it('is missing if one side was not measured', () => {
    const samples = new Map([[OURS, [{ rate: 50 }, undefined]]]);
    const { ratios, targets } = judge(figure, samples);
    expect(ratios).toEqual({});
    expect(targets[0]).not.toHaveProperty('isMet');
  });
});

describe('a row of the bench', () => {
  const bench = { scale: 1, sources: 1, scaled: (size: number) => size, progress: () => {} };
  const rowOf = (contestants: Record<string, () => Promise<Record<string, number>>>): Row => ({
    name: 'row',
    title: 'a row',
    needs: [],
    figures: [{ id: 'rate', label: 'rate', unit: '/s', targets: [{ against: LIMIT, atLeast: 0.5 }] }],
    open: async () => ({ contestants: new Map(Object.entries(contestants)), close: async () => {} }),
  });

  it('measures the contestants in turn', async () => {
    const order: string[] = [];
    const measure = (name: string) => async () => {
      order.push(name);
      return { rate: 1 };
    };
    await runRow(rowOf({ [OURS]: measure(OURS), [LIMIT]: measure(LIMIT) }), 2, bench);
    expect(order).toEqual([OURS, LIMIT, OURS, LIMIT]);
  });

  it('says why something is missing, and goes on', async () => {
    const failing = async () => {
      throw new Error('no such thing');
    };
    const skipping = async () => {
      throw new Skipped('not installed');
    };
    const row = rowOf({ [OURS]: async () => ({ rate: 5 }), [LIMIT]: failing, other: skipping });
    const result = await runRow(row, 2, bench);
    expect(result.remarks).toEqual(['limit failed: no such thing', 'other was skipped: not installed']);
    const table = tableOf([result]);
    expect(table).toContain('| 5/s');
    expect(table).toContain('| ?');
    expect(table).toContain('- row: limit failed: no such thing');
  });
});

it('numbers keep three digits', () => {
  expect([numberText(12345.6), numberText(0.012345), numberText(2)]).toEqual(['12,346', '0.0123', '2']);
});

it('syncs are counted from the event to its PUT, and to the next event', () => {
  const event = '12 read(22, "POST /events/main HTTP/1.1"..., 65536) = 900';
  const put = '12 writev(23, [{iov_base="PUT /v1/config?cas=7 HTTP/1.1"..., iov_len=90}], 1) = 90';
  const sync = '14 fdatasync(19)                     = 0';
  const resumed = '14 <... fdatasync resumed>) = 0';
  const trace = [sync, event, sync, resumed, sync, put, sync, event, sync, put].join('\n');
  expect(countSyncs(trace)).toEqual({ untilWrite: 1.5, inAll: 3 });
});
