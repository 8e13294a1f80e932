import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { IndexReach } from '../../../src/decisions/trail.js';
import type { Reason } from '../../../src/model/decision.js';
import { collectEvidence } from '../../../src/trail/evidence/evidence-report.js';
import { csvRow, escapeHtml } from '../../../src/trail/evidence/text.js';
import { auditedTrail, PERIOD } from '../../support/audited-trail.js';
import { type CommandLine, createCommandLine } from '../../support/command-line.js';
import { decision } from '../../support/decisions.js';
import { trailOf, withIndex } from '../../support/trail-history.js';

let cli: CommandLine;
let out: string;
beforeAll(async () => {
  cli = createCommandLine({ consul: { address: 'http://127.0.0.1:9', managementToken: 'none' } });
  out = mkdtempSync(join(tmpdir(), 'scopemesh-evidence-'));
  await (await trailOf(join(cli.directory, 'state'), auditedTrail())).close();
  const ran = await write(out);
  expect(ran.status, ran.err).toBe(0);
});
afterAll(() => {
  cli.close();
  rmSync(out, { recursive: true, force: true });
});

const write = (directory: string) =>
  cli.run(['evidence', '--from', PERIOD.from, '--to', PERIOD.to, '--out', directory]);
const file = (name: string) => readFileSync(join(out, name), 'utf8');
const evidence = () => JSON.parse(file('evidence.json')) as Record<string, unknown>;

it('the evidence of a period with too many decisions for one report is refused', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'scopemesh-evidence-'));
  const trail = await trailOf(directory, auditedTrail());
  const asked = collectEvidence(trail, { owner: 'payments', ...PERIOD, most: 3 });
  await expect(asked).rejects.toThrow('more than 3 decisions, too many for one report');
  await trail.close();
  rmSync(directory, { recursive: true, force: true });
});

it('the evidence is refused of a time that the index of a topic does not have', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'scopemesh-evidence-'));
  const trail = await trailOf(directory, auditedTrail());
  const collect = (index: IndexReach) =>
    collectEvidence(withIndex(trail, index), { owner: 'payments', ...PERIOD });
  const index = { until: PERIOD.to, isBehind: false, gaps: [] };
  await expect(collect(index)).resolves.toMatchObject({ period: PERIOD });
  await expect(collect({ ...index, until: PERIOD.from })).rejects.toThrow('index of the topic ends at');
  const gaps = [{ after: PERIOD.from, until: PERIOD.from }];
  await expect(collect({ ...index, gaps })).rejects.toThrow('lacks decisions');
  await trail.close();
  rmSync(directory, { recursive: true, force: true });
});

it('the evidence of break-glass names the person who asked and the one who approved', async () => {
  const other = createCommandLine();
  const of = (id: string, reason: Reason, by: string, detail: string) =>
    decision({
      id,
      time: PERIOD.from,
      reason,
      detail,
      subject: 'break-glass/g1',
      resource: { kind: 'break-glass', name: 'g1' },
      principal: { id: by },
    });
  const decisions = [
    of('d01', 'BreakGlassAsked', 'token:ana', 'INC-1'),
    of('d02', 'BreakGlass', 'token:bob', 'token:ana asked, token:bob approved: INC-1'),
    of('d03', 'BreakGlassEnded', 'token:eve', 'token:eve: done'),
  ];
  await (await trailOf(join(other.directory, 'state'), decisions)).close();
  const directory = join(other.directory, 'evidence');
  const ran = await other.run(['evidence', '--from', PERIOD.from, '--to', PERIOD.to, '--out', directory]);
  expect(ran.status, ran.err).toBe(0);
  const read = (name: string) => readFileSync(join(directory, name), 'utf8');
  const { exceptions } = JSON.parse(read('evidence.json')) as {
    exceptions: { findings: { decisions: unknown[] }[] };
  };
  expect(exceptions.findings.filter((each) => each.decisions.length > 0)).toMatchObject([
    {
      what: expect.stringContaining('break-glass grant'),
      decisions: [
        { id: 'd01', reason: 'BreakGlassAsked', principal: 'token:ana' },
        {
          id: 'd02',
          reason: 'BreakGlass',
          principal: 'token:bob',
          detail: expect.stringMatching(/ana.*bob/),
        },
        { id: 'd03', reason: 'BreakGlassEnded', principal: 'token:eve' },
      ],
    },
  ]);
  expect(read('exceptions.csv')).toContain('"BreakGlassAsked","token:ana","INC-1"');
  expect(read('exceptions.csv')).toContain(
    '"BreakGlass","token:bob","token:ana asked, token:bob approved: INC-1"',
  );
  expect(/<section id="exceptions">.*?<\/section>/s.exec(read('report.html'))?.[0]).toContain('token:bob');
  other.close();
});

it('the evidence lists when another replica began to lead', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'scopemesh-evidence-'));
  const change = decision({
    id: 'd01',
    time: PERIOD.from,
    type: 'dev.scopemesh.leader.changed',
    subject: 'leader/payments',
    resource: { kind: 'leader', name: 'payments' },
    outcome: 'observed',
    action: 'none',
    reason: 'LeaderChanged',
  });
  const trail = await trailOf(directory, [change]);
  const { exceptions, moves } = await collectEvidence(trail, { owner: 'payments', ...PERIOD });
  expect(exceptions.findings.filter(({ decisions }) => decisions.length > 0)).toMatchObject([
    { what: 'Another replica began to lead', decisions: [{ id: 'd01', subject: 'leader/payments' }] },
  ]);
  expect(moves).toEqual([]);
  await trail.close();
  rmSync(directory, { recursive: true, force: true });
});

describe('the evidence of a small trail', () => {
  it('reviews what was there at the end, and not what came later', () => {
    expect(evidence()).toMatchObject({
      edges: [
        { source: 'bot', destination: 'orders', scopes: ['orders:read'], since: { id: 'd06' } },
        {
          source: 'web',
          destination: 'orders',
          scopes: ['orders:read'],
          since: { id: 'd01' },
          decision: { id: 'd04' },
        },
      ],
      acl: [{ subject: 'acl-policy/scopemesh-payments_rules-1', since: { id: 'd05' } }],
      outcomes: { applied: 4, held: 2, observed: 1, refused: 2 },
    });
  });

  it('knows who joined, moved and left, and how long the slowest change took', () => {
    expect(evidence().moves).toMatchObject([
      { kind: 'joiner', name: 'main/bot-app', actorKind: 'agent', slowestMs: 30 },
      { kind: 'leaver', name: 'main/batch-app', slowestMs: 1_500, decisions: [{ id: 'd03' }] },
      { kind: 'mover', name: 'main/web-app', slowestMs: 20, decisions: [{ id: 'd04' }] },
    ]);
  });

  it('counts revocations by their time, those with an event alone', () => {
    expect(evidence().revocations).toMatchObject({
      count: 2,
      p50Ms: 20,
      p95Ms: 1_500,
      slowest: [{ id: 'd03', ms: 1_500 }, { id: 'd04' }],
    });
    expect(file('revocation-times.csv')).toContain('"50","1"\r\n');
  });

  it('says what was held, and who approved or rejected it', () => {
    expect(evidence().held).toMatchObject([
      { hold: { id: 'd07' }, end: 'rejected', by: 'local (alice)', endedBy: { id: 'd08' } },
      { hold: { id: 'd09', reason: 'ForeignSource' }, end: 'pending' },
    ]);
  });

  it('lists exceptions, and what an agent may do beyond people', () => {
    const { exceptions, actors } = evidence() as {
      exceptions: { findings: { what: string; decisions: { id: string }[] }[] };
      actors: { kind: string; beyondHumans: unknown[] }[];
    };
    const found = exceptions.findings.filter(({ decisions }) => decisions.length > 0);
    expect(found.map(({ decisions }) => decisions.map(({ id }) => id))).toEqual([['d09'], ['d07', 'd08']]);
    expect(exceptions).toMatchObject({
      refusedEvents: 1,
      comparisons: 1,
      lastComparison: { ownedEdges: 2, trailEdges: 2 },
    });
    expect(actors).toMatchObject([
      { kind: 'human' },
      { kind: 'workload' },
      { kind: 'agent', beyondHumans: [{ source: 'bot' }] },
      {},
    ]);
  });

  it('gives the same bytes for the same trail', async () => {
    const again = mkdtempSync(join(tmpdir(), 'scopemesh-evidence-'));
    await write(again);
    expect(readFileSync(join(again, 'SHA256SUMS'), 'utf8')).toBe(file('SHA256SUMS'));
    rmSync(again, { recursive: true, force: true });
  });

  it('is one page without scripts, other files or unknown anchors, whatever names say', () => {
    const page = file('report.html');
    expect(page).not.toMatch(/<script|<img|<link|javascript:|https?:/i);
    expect(page).toContain('&lt;script&gt;');
    const anchors = new Set([...page.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id));
    for (const [, target = ''] of page.matchAll(/href="#([^"]+)"/g)) expect(anchors).toContain(target);
    expect([...page.matchAll(/href="([^#])/g)]).toEqual([]);
  });

  it('says plainly that a log without a signature is not proven', () => {
    expect(evidence().integrity).toMatchObject({ verified: false });
    expect(file('report.html')).toContain('not verified');
  });
});

describe('a text in a report', () => {
  it.each(['=1+1', '+1', '-1', '@SUM(A1)', '\t=1', ' =1', '|cmd', '%0a'])(
    'is no formula in a spreadsheet: %j',
    (text) => {
      expect(csvRow([text])).toMatch(/^"(?:'|\\u)/);
    },
  );

  it('cannot end a cell, an element or an attribute, or turn its direction', () => {
    expect(csvRow(['a"b,\r\nc', -1])).toBe('"a""b,\\u{d}\\u{a}c","-1"\r\n');
    expect(escapeHtml(`<a href="x" title='y'>&\u202e`)).toBe(
      '&lt;a href=&quot;x&quot; title=&#39;y&#39;&gt;&amp;\\u{202e}',
    );
  });
});
