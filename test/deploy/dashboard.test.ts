import { expect, it } from 'vitest';
import { METRICS } from '../../src/observe.js';
import { textOf } from '../docs/manual.js';
import { dashboard, queriesOf, ROWS } from './dashboard.js';

const text = textOf('deploy/grafana/scopemesh.json');

it('the dashboard is the one that the list of metrics makes', () => {
  expect(JSON.parse(text), 'run npx tsx test/deploy/write-dashboard.ts').toEqual(
    JSON.parse(JSON.stringify(dashboard())),
  );
});

it('each metric has its panel', () => {
  expect(Object.values(ROWS).flat().toSorted()).toEqual(Object.keys(METRICS).toSorted());
});

it('no panel asks for a metric or a label that is not there', () => {
  const queries = queriesOf(JSON.parse(text));
  expect(queries.length).toBeGreaterThan(Object.keys(METRICS).length);
  for (const { expr } of queries) {
    for (const [found] of expr.matchAll(/scopemesh_\w+/g)) {
      const isHistogram = found.endsWith('_bucket');
      const name = isHistogram ? found.slice(0, -'_bucket'.length) : found;
      const [kind, , labels] = Object.entries(METRICS).find(([each]) => each === name)?.[1] ?? [];
      expect(kind === 'histogram', expr).toBe(isHistogram);
      const [, by = ''] = / by \(([^)]*)\)/.exec(expr) ?? [];
      for (const label of by.split(', ').filter((each) => each !== '' && each !== 'le'))
        expect(labels, expr).toContain(label);
    }
  }
});
