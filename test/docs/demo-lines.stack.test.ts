import { expect, it, onTestFinished } from 'vitest';
import { blocks, section, textOf } from './manual.js';
import { runOnDemo } from './run-on-demo.js';

/** Only for what never ends: the lines take about a minute. */
const MAX_MS = 500_000;

const linesOf = (page: string) => blocks(textOf(`docs/how-to/${page}`), 'sh').join('\n');

it(
  'the lines of try-on-the-demo.md show a gateway, a foreign wildcard, a freeze, a grant and a call',
  async () => {
    const shown = await runOnDemo(linesOf('try-on-the-demo.md'), {}, onTestFinished);
    for (const text of [
      'allowed  edge -> orders  GET /v1/orders',
      'intention  web -> * allows everything (precedence 6, not owned by scopemesh)',
      'the intention web -> *, which scopemesh does not own, allows everything; web may call each of',
      "give the callers scopes, then remove it: consul intention delete -- web '*'",
      'not allowed  web -> ledger\n\n  intention  none matches this call',
      'Frozen: local',
      'web -> payments',
      'RBAC: access denied',
      'allowed  web -> payments  GET /v1/charges',
      'What if `client=web-app,-scope=orders:read`',
      '"verdict": "allowed"',
    ])
      expect(shown).toContain(text);
    expect(shown).toMatch(/^allowed {2}edge -> orders[^→]*?^ {2}arrives +yes$/m);
    // The grant opened its edge during the freeze.
    const [frozen = ''] = shown.split('no freeze is in effect');
    expect(frozen).toContain(
      'allowed  web -> ledger\n\n  intention  web -> ledger allows everything (precedence 9, written by scopemesh)',
    );
    expect(frozen).toMatch(/^ {2}grant +break-glass \S+ {2}web -> ledger .*: INC-4711$/m);
  },
  MAX_MS,
);

it(
  'the lines of run-several-instances.md on the demo show a proposal, an overlap, cases, a trial, an adoption and manifests',
  async () => {
    const secrets = 'ls -l second.yaml proposal';
    const page = section('docs/how-to/run-several-instances.md', 'Try it on the demo');
    const lines = `${blocks(page, 'sh').join('\n')}\n${secrets}`;
    const shown = await runOnDemo(lines, {}, onTestFinished);
    for (const text of [
      'ACL rules: 1.',
      'key_prefix',
      'Description `token of reports-job`',
      'proposal/scopemesh.yaml:  vault:connect: { to: vault }',
      'the instance with owner demo also writes intentions to inventory',
      'give the two instances a select: without overlap',
      'ok      deny: reports -> vault POST /v1/keys',
      '3 passed, 0 failed.',
      'Plan: 1 to open (mode observe: not written), 1 held.\nplan ended with status 2',
      'cannot log in  main/reports-job (workload)',
      'explain ended with status 4',
      'narrows  reports -> vault\n    everything => GET /v1/keys and below',
      'replaces * -> vault',
      'trial ended with status 1',
      'Adopted: 1 of 1.',
      '~ reports  GET /v1/keys and below -> GET /v1 and below',
      'Marks removed: 2 of 2.',
      'kind: "ServiceIntentions"',
      'description: "scopemesh:gitops client=main/reports-job"',
      'Consul has no intention for vault',
    ])
      expect(shown).toContain(text);
    // Adopted, then without marks again: access and text stay.
    expect(shown.match(/^\["(web|reports|\*)",.*\]$/gm)).toEqual([
      '["web","scopemesh:second client=main/web-app text=ticket 17"]',
      '["reports","scopemesh:second client=main/reports-job"]',
      '["*",null]',
      '["web","ticket 17"]',
      '["reports",null]',
      '["*",null]',
    ]);
    // Only their owner may read the files with tokens.
    expect(shown.match(/^-[rwx-]+(?=.* (second\.yaml|scopemesh\.yaml)$)/gm)).toEqual([
      '-rw-------',
      '-rw-------',
    ]);
  },
  MAX_MS,
);
