import { describe, expect, it } from 'vitest';
import { toDecisionLine } from '../../src/demo/decision-line.js';
import { type ScreenFacts, toScreen } from '../../src/demo/demo-screen.js';
import { SERVICES } from '../../src/demo/mesh.js';
import { createStyle, type Style } from '../../src/demo/style.js';
import { thingsToTry, toCommand } from '../../src/demo/things-to-try.js';
import type { Decision } from '../../src/model/decision.js';
import { parseThings } from './demo-process.js';

const FACTS: ScreenFacts = {
  scopemesh: 'http://127.0.0.1:48080',
  console: 'http://127.0.0.1:48080/#code=AAAAAAAAAAAAAAAAAAAAAA',
  consul: { address: 'http://127.0.0.1:48500', managementToken: '3633a2e6-9cc6-44ea-8996-ade8eae82553' },
  consulKind: 'embedded',
  idp: { address: 'http://127.0.0.1:48085', managementToken: 'wj39ZivGZbp-qTJF' },
  callers: Object.fromEntries(
    SERVICES.slice(0, 7).map(({ name }, at) => [name, `http://127.0.0.1:${49101 + at}`]),
  ),
  configFile: '/tmp/scopemesh-demo-abcdef/scopemesh.yaml',
  stateDirectory: '/tmp/scopemesh-demo-abcdef',
  isStateKept: false,
  logFile: '/tmp/scopemesh-demo-abcdef/scopemesh.log',
  services: SERVICES,
  notes: ['port 8080 is in use; scopemesh uses port 48080'],
  open: 12,
};

const GRANT: Decision = {
  id: '01J',
  time: '2026-01-01T10:20:30.000Z',
  type: 'dev.scopemesh.intention.created',
  subject: 'intention/default/default/orders/web',
  source: 'scopemesh/demo/x',
  action: 'grant',
  outcome: 'applied',
  reason: 'ScopeGranted',
  resource: { kind: 'intention', source: 'web', destination: 'orders' },
  client: { provider: 'main', clientId: 'web-app', actorKind: 'human' },
  scopes: ['orders:read', 'orders:write'],
  cause: { kind: 'webhook', receivedAt: '2026-01-01T10:20:30.000Z' },
  mappingRevision: 'sha256:x',
  revision: 1,
  latencyMs: 11.4,
};

function styleOf(columns: number, environment: Record<string, string> = { LANG: 'C.UTF-8' }): Style {
  return createStyle({ write: () => true, isTTY: true, columns }, environment);
}

function plain(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours are control sequences
  return text.replaceAll(/\u001b\[\d+m/g, '');
}

describe('the screen of the demo', () => {
  it.each([80, 100, 200])('fits a terminal of %i columns, whose lines give the whole commands', (columns) => {
    const screen = plain(toScreen(FACTS, styleOf(columns)));
    for (const line of screen.split('\n')) expect(line.length).toBeLessThan(columns);
    if (columns === 200) for (const thing of thingsToTry(FACTS)) expect(screen).toContain(toCommand(thing));
    else
      expect(parseThings(screen)).toEqual(
        thingsToTry(FACTS).map((thing) => ({ what: thing.what, command: toCommand(thing) })),
      );
  });

  it('has no colour without a terminal or with NO_COLOR', () => {
    const piped = createStyle({ write: () => true }, { LANG: 'C.UTF-8' });
    for (const style of [piped, styleOf(80, { LANG: 'C.UTF-8', NO_COLOR: '1' })])
      expect(toScreen(FACTS, style) + toDecisionLine(GRANT, style)).not.toContain('\u001b');
    expect(toScreen(FACTS, styleOf(80))).toContain('\u001b');
  });

  it('is plain ASCII where the locale is not UTF-8', () => {
    const style = styleOf(80, { LANG: 'en_US.UTF-8', LC_ALL: 'C' });
    const held: Decision = { ...GRANT, outcome: 'held', detail: 'd'.repeat(200) };
    for (const text of [toScreen(FACTS, style), ...[GRANT, held].map((each) => toDecisionLine(each, style))])
      expect(plain(text ?? '')).toMatch(/^[\n -~]*$/);
  });

  it('shows a decision on one line that fits, with what matters first', () => {
    expect(plain(toDecisionLine(GRANT, styleOf(80)) ?? '').slice(8)).toBe(
      ' ✓ web → orders         ScopeGranted          11 ms  orders:read order…',
    );
    expect(plain(toDecisionLine(GRANT, styleOf(200)) ?? '').slice(8)).toBe(
      ' ✓ web → orders         ScopeGranted          11 ms  orders:read orders:write  client web-app (human)',
    );
    for (const columns of [40, 60, 80, 200]) {
      const held: Decision = {
        ...GRANT,
        outcome: 'held',
        reason: 'ProtectedDestination',
        detail: 'x'.repeat(500),
      };
      expect(plain(toDecisionLine(held, styleOf(columns)) ?? '').length).toBeLessThan(columns);
    }
  });

  it('lets no name of the identity provider move the cursor', () => {
    const hostile: Decision = { ...GRANT, scopes: ['a\u001b[2Jb'], detail: '\r' };
    expect(plain(toDecisionLine(hostile, styleOf(200)) ?? '')).not.toMatch(/\p{Cc}/u);
  });

  it('is silent about comparisons that found nothing', () => {
    const sweep: Decision = { ...GRANT, resource: { kind: 'sweep', name: 'demo' }, reason: 'SweepCompleted' };
    expect(toDecisionLine(sweep, styleOf(80))).toBeUndefined();
  });
});
