import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { LATE_SECONDS } from '../../src/console/api/status.js';
import { HOLD_REASONS } from '../../src/model/decision.js';
import { METRICS } from '../../src/observe.js';
import { codes, filesIn, PAGES, section, textOf } from './manual.js';

const PAGE = 'docs/reference/alerts.md';
const { groups } = parse(textOf('deploy/chart/alerts.yaml'));
const alerts: { alert: string; expr: string; annotations: { runbook_url: string } }[] = groups[0].rules;
/** What the page says about each alert. */
const sections = section(PAGE, 'What each alert means')
  .split(/^### /m)
  .slice(1)
  .map((text) => ({ alert: text.split('\n')[0] ?? '', text: text.split('\n').slice(1).join('\n') }));
/** The quoted log lines of a text, each in one line. */
const linesIn = (text: string) => codes(text).map((line) => line.replaceAll(/\s+/g, ' '));
const metrics = new Map<string, readonly string[]>(
  Object.entries(METRICS).flatMap(([name, [kind, , labels]]) => {
    const names = kind === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name];
    return names.map((each): [string, readonly string[]] => [each, [...labels, 'le']]);
  }),
);
const SOURCES = [...filesIn('src', '.ts'), ...filesIn('workers', '.ts')].map(textOf).join('\n');

describe('the alerts', () => {
  it('are no more than what should wake somebody', () => {
    expect(alerts.length).toBeLessThanOrEqual(15);
  });

  it('call a read late after the time that the console has', () => {
    const limits = alerts.flatMap(({ expr }) =>
      [...expr.matchAll(/scopemesh_(?:consul_)?(\w+)_age_seconds\) > (\d+)/g)].map(([, of, most]) => [
        of,
        Number(most),
      ]),
    );
    const { comparison: sweep, ...others } = LATE_SECONDS;
    expect(Object.fromEntries(limits)).toEqual({ ...others, sweep });
  });

  it('are a file of rules as Prometheus takes it', () => {
    expect(groups).toHaveLength(1);
    expect(new Set(alerts.map(({ alert }) => alert)).size).toBe(alerts.length);
    for (const rule of alerts) {
      const known = ['alert', 'expr', 'for', 'labels', 'annotations'];
      expect(Object.keys(rule).filter((key) => !known.includes(key))).toEqual([]);
      expect(rule).toMatchObject({
        alert: expect.stringMatching(/^Scopemesh\w+$/),
        expr: expect.any(String),
        labels: { severity: 'critical' },
        annotations: { summary: expect.stringMatching(/^\w.*[^.]$/) },
      });
      expect(rule.annotations.runbook_url).toBe(`${PAGE}#${rule.alert.toLowerCase()}`);
      if ('for' in rule) expect(rule.for).toMatch(/^\d+[smh]$/);
    }
  });

  it('ask for metrics and labels that are there', () => {
    expect(alerts.length).toBeGreaterThan(10);
    for (const { expr } of alerts) {
      for (const [, name = '', , matchers = ''] of expr.matchAll(/(scopemesh_\w+)(\{([^}]*)\})?/g)) {
        expect([...metrics.keys()], expr).toContain(name);
        for (const [, label = ''] of matchers.matchAll(/(\w+)[=!]/g))
          expect(metrics.get(name), expr).toContain(label);
      }
      for (const [, labels = ''] of expr.matchAll(/by \(([^)]*)\) \(/g)) {
        const [, name = ''] = /(scopemesh_\w+)/.exec(expr) ?? [];
        for (const label of labels.split(', ')) expect(metrics.get(name), expr).toContain(label);
      }
    }
  });

  it('name reasons that are there', () => {
    const named = alerts.flatMap(({ expr }) =>
      [...expr.matchAll(/scopemesh_holds\{reason[=!~]+"([^"]+)"/g)].flatMap(([, list = '']) =>
        list.split('|'),
      ),
    );
    expect(named.length).toBeGreaterThan(3);
    for (const reason of named) expect(HOLD_REASONS).toContain(reason);
  });

  it('have a section each, with the log line and what to do', () => {
    expect(sections.map(({ alert }) => alert)).toEqual(alerts.map(({ alert }) => alert));
    for (const { alert, text } of sections) {
      const [head = '', ...rest] = text.trim().split('\n\n');
      expect(head, alert).toMatch(/^\*\*Log lines?:\*\*/);
      expect(rest.join(''), alert).toMatch(/\w/);
    }
  });

  it('point to log lines that the code writes', () => {
    const lines = [
      ...sections.flatMap(({ text }) =>
        linesIn(/^\*\*Log line.*?(?=\n\n[^-])/ms.exec(text.trim())?.[0] ?? ''),
      ),
      ...section(PAGE, 'Log lines without an alert')
        .split(/^- /m)
        .slice(1)
        .flatMap((text) => linesIn(text).slice(0, 1)),
    ].filter((line) => line.includes(' '));
    expect(lines.length).toBeGreaterThan(15);
    for (const line of lines) expect(SOURCES).toContain(`'${line}'`);
  });
});

it('no page names a metric that is not there', () => {
  const known = [...metrics.keys(), ...Object.keys(METRICS)];
  for (const page of PAGES)
    for (const [name] of textOf(page).matchAll(/\bscopemesh_[a-z_]+[a-z]\b/g))
      expect(known, page).toContain(name);
});
