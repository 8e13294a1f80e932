import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { textOf } from '../docs/manual.js';
import { installed } from '../stack/installed.js';
import { CHART, runProgram } from './helm.js';

const RULES = join(CHART, 'alerts.yaml');
const { groups } = parse(textOf('deploy/chart/alerts.yaml'));
const alerts: { alert: string; annotations: Readonly<Record<string, string>> }[] = groups[0].rules;

/** Series as promtool writes them, by their text; values come once a minute. */
type Series = Readonly<Record<string, string>>;
const UP = 'up{job="scopemesh"}';
/** What a scopemesh in good order shows for three hours. */
const FINE: Series = {
  [UP]: '1x180',
  scopemesh_leaderless_seconds: '0x180',
  scopemesh_consul_default_allow: '0x180',
  'scopemesh_unread_seconds{side="consul"}': '0x180',
  'scopemesh_consul_unreadable_entries{kind="service-intentions"}': '0x180',
  scopemesh_manifests_broken: '0x180',
  scopemesh_manifests_unsynced: '0x180',
  'scopemesh_consul_watch_age_seconds{table="catalog"}': '5x180',
  scopemesh_sweep_age_seconds: '120x180',
  'scopemesh_directory_age_seconds{provider="main"}': '0+60x60 0+60x60 0+60x60',
  scopemesh_store_low: '0x180',
  'scopemesh_unstored_events_lost_total{provider="main",kind="order"}': '0x180',
  scopemesh_work_stuck: '0x180',
  scopemesh_parked_keys: '0x180',
  'scopemesh_holds{reason="RevocationLimit"}': '0x180',
  'scopemesh_holds{reason="MarkLost"}': '0x180',
  'scopemesh_holds{reason="ClaimUnconfirmed"}': '3x180',
  'scopemesh_oldest_revocation_seconds{state="planned"}': '0x180',
  'scopemesh_oldest_revocation_seconds{state="held"}': '0+60x180',
};
/** Each alert with what it is for, the minute until which it is silent, the one at which it fires, and its labels. */
const BROKEN: Readonly<Record<string, readonly [Series, number, number, Readonly<Record<string, string>>?]>> =
  {
    ScopemeshDown: [{ [UP]: '1x10 0x170' }, 11, 14],
    ScopemeshNoLeader: [{ scopemesh_leaderless_seconds: '0x10 60+60x100' }, 11, 13],
    ScopemeshDefaultAllow: [{ scopemesh_consul_default_allow: '0x10 1x100' }, 10, 12],
    ScopemeshCannotRead: [
      { 'scopemesh_unread_seconds{side="consul"}': '0x10 60+60x100' },
      12,
      14,
      { side: 'consul' },
    ],
    ScopemeshEntryUnreadable: [{ scopemesh_manifests_broken: '0x10 1x100' }, 11, 14],
    ScopemeshManifestsUnsynced: [{ scopemesh_manifests_unsynced: '0x10 2x100' }, 20, 28],
    ScopemeshConsulStale: [
      { 'scopemesh_consul_watch_age_seconds{table="catalog"}': '5x10 60+60x100' },
      12,
      16,
      { table: 'catalog' },
    ],
    ScopemeshDirectoryStale: [
      { 'scopemesh_directory_age_seconds{provider="main"}': '0+60x180' },
      130,
      137,
      { provider: 'main' },
    ],
    ScopemeshStoreLow: [{ scopemesh_store_low: '0x10 1x100' }, 10, 12],
    ScopemeshEventsLost: [
      { 'scopemesh_unstored_events_lost_total{provider="main",kind="order"}': '0x10 1x100' },
      10,
      12,
      { provider: 'main', kind: 'order' },
    ],
    ScopemeshWorkStuck: [{ scopemesh_work_stuck: '0x10 1x100' }, 11, 13],
    ScopemeshParkedKeys: [{ scopemesh_parked_keys: '0x10 1x100' }, 20, 28],
    ScopemeshRevocationsHeld: [{ 'scopemesh_holds{reason="RevocationLimit"}': '0x10 4x100' }, 10, 12],
    ScopemeshTampering: [
      { 'scopemesh_holds{reason="MarkLost"}': '0x10 1x100' },
      10,
      12,
      { reason: 'MarkLost' },
    ],
    ScopemeshRevocationWaits: [
      { 'scopemesh_oldest_revocation_seconds{state="planned"}': '0x10 10+60x100' },
      11,
      14,
      { state: 'planned' },
    ],
  };

const group = (series: Series, tests: readonly object[]) => ({
  interval: '1m',
  input_series: Object.entries({ ...FINE, ...series }).map(([name, values]) => ({ series: name, values })),
  alert_rule_test: tests,
});

/** What `promtool test rules` says about these groups. */
async function promtool(tests: readonly object[]) {
  const file = join(mkdtempSync(join(tmpdir(), 'scopemesh-rules-')), 'test.yaml');
  writeFileSync(file, stringify({ rule_files: [RULES], tests }));
  return runProgram(await installed('promtool'), ['test', 'rules', file]);
}

it('is what promtool takes', async () => {
  const { status, err } = await runProgram(await installed('promtool'), [
    'check',
    'rules',
    '--lint-fatal',
    RULES,
  ]);
  expect(status, err).toBe(0);
});

it('no alert fires while all is well, and each one fires for what it is for and not before', async () => {
  expect(Object.keys(BROKEN)).toEqual(alerts.map(({ alert }) => alert));
  const minutes = [1, 12, 60, 130, 179];
  const quiet = alerts.flatMap(({ alert }) =>
    minutes.map((minute) => ({ alertname: alert, eval_time: `${minute}m`, exp_alerts: [] })),
  );
  const broken = alerts.map(({ alert, annotations }) => {
    const [series, silent, firing, labels = {}] = BROKEN[alert] ?? [{}, 0, 0];
    const expected = { exp_labels: { severity: 'critical', ...labels }, exp_annotations: annotations };
    return group(series, [
      { alertname: alert, eval_time: `${silent}m`, exp_alerts: [] },
      { alertname: alert, eval_time: `${firing}m`, exp_alerts: [expected] },
    ]);
  });
  const { out, err } = await promtool([group({}, quiet), ...broken]);
  expect(`${out}${err}`).not.toContain('FAILED');
  expect(out).toContain('SUCCESS');
});
